import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call } from '../../support/http-call.js';
import { type CliProcess, type CliWorld, createCliWorld } from '../../support/weft-cli.js';

const SLOW_APP = resolve(import.meta.dirname, '../../support/apps/slow.mjs');
const MIRROR_APP = resolve(import.meta.dirname, '../../support/apps/mirror.mjs');

let world: CliWorld;
let run: CliProcess;
/** Of the first app's sidecar. */
let api: string;
beforeEach(async () => {
  world = await createCliWorld();
});
afterEach(() => world.close());

/** Starts a run of apps: name and program each. */
async function start(apps: Readonly<Record<string, string>>): Promise<void> {
  const plans = await Promise.all(
    Object.entries(apps).map(async ([appID, program]) => ({
      appID,
      appDirPath: '.',
      appPort: await world.port(),
      daprHTTPPort: await world.port(),
      daprGRPCPort: await world.port(),
      command: ['node', program],
    })),
  );
  const file = join(world.home, 'weft.yaml');
  writeFileSync(file, JSON.stringify({ version: 1, apps: plans }));
  run = world.weft(['run', '-f', file]);
  await run.until(/ready in [\d.]+ s/);
  api = `http://127.0.0.1:${plans[0]?.daprHTTPPort}/v1.0`;
}
const ask = (app: string, path: string) => call(`${api}/invoke/${app}/method${path}`);

describe('Ctrl-C while calls are under way', () => {
  it('lets them end, from app to app too, and apps use their sidecars to the last', async () => {
    await start({ front: SLOW_APP, back: SLOW_APP });
    const [chain, plain] = [ask('front', '/wait/800/back'), ask('back', '/wait/1500')];
    await Promise.all([run.until(/front is asked/), run.until(/back is asked/)]);
    run.signal('SIGINT');
    const answers = await Promise.all([chain, plain]);
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, 'done'],
      [200, 'done'],
    ]);
    expect(await run.exit()).toBe(0);
    for (const app of ['front', 'back']) expect(run.text()).toContain(`${app} ends, state: 204`);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('lets them end when the app itself would end at once', async () => {
    await start({ front: MIRROR_APP, rude: SLOW_APP });
    const slow = ask('rude', '/wait/1000');
    await run.until(/rude is asked/);
    run.signal('SIGTERM');
    expect((await slow).status).toBe(200);
    expect(await run.exit()).toBe(0);
  });

  it('waits for one that has no end for some seconds only', async () => {
    await start({ front: MIRROR_APP, back: SLOW_APP });
    const endless = ask('back', '/hang').catch((error: Error) => error);
    await run.until(/back is asked/);
    run.signal('SIGINT');
    expect(await run.exit(25_000)).toBe(0);
    expect(await endless).not.toMatchObject({ status: 200 });
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('ends all at once when it comes a second time', async () => {
    await start({ front: MIRROR_APP, back: SLOW_APP });
    const endless = ask('back', '/hang').catch((error: Error) => error);
    await run.until(/back is asked/);
    run.signal('SIGINT');
    await run.until(/stopping; once more kills/);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(130);
    expect(run.text()).not.toContain('back ends');
    expect(await endless).not.toMatchObject({ status: 200 });
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });
});
