import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliProcess, type CliWorld, createCliWorld, MIRROR_APP } from '../../support/weft-cli.js';

let world: CliWorld;
let run: CliProcess;
let ports: { readonly alpha: number; readonly beta: number };

beforeAll(async () => {
  world = await createCliWorld();
  ports = { alpha: await world.port(), beta: await world.port() };
  for (const name of ['alpha', 'beta']) mkdirSync(join(world.home, name));
  const app = async (id: string, appPort: number) => `
  - appID: ${id}
    appDirPath: ${id}
    appPort: ${appPort}
    daprHTTPPort: ${await world.port()}
    daprGRPCPort: ${await world.port()}
    command: ["node", "${MIRROR_APP}"]
    env: { GREETING: hello ${id} }`;
  const apps = [await app('alpha', ports.alpha), await app('beta', ports.beta)];
  writeFileSync(join(world.home, 'weft.yaml'), `version: 1\napps:${apps.join('')}\n`);
  run = world.weft(['run', '-f', 'weft.yaml']);
  await run.until(/all 2 ready in [\d.]+ s[\s\S]*Ctrl-C stops everything/);
});
afterAll(() => world.close());

describe('weft run -f', () => {
  it('shows the apps with their ports, and their output under their names', () => {
    expect(run.text()).toMatch(new RegExp(`alpha +\\d+ +\\d+ +${ports.alpha} +\\d+ ms`));
    expect(run.text()).toContain(`== APP - beta == mirror listens on ${ports.beta}`);
  });

  it('lists them, with the run that owns them', async () => {
    const { code, text } = await world.run(['list', '-o', 'json']);
    expect(code).toBe(0);
    const apps = JSON.parse(text) as readonly Record<string, unknown>[];
    expect(apps.map(({ appId, appPort, cliPid }) => ({ appId, appPort, cliPid }))).toEqual([
      { appId: 'alpha', appPort: ports.alpha, cliPid: run.pid },
      { appId: 'beta', appPort: ports.beta, cliPid: run.pid },
    ]);
  });

  it('invokes a method by name, and gives the app the variables of the Dapr CLI', async () => {
    const { code, text } = await world.run(['invoke', '-a', 'beta', '-m', 'some/where?x=1', '-d', '{"a":1}']);
    expect(code, text).toBe(0);
    const answer = JSON.parse(text) as Record<string, unknown>;
    expect(answer).toMatchObject({ method: 'POST', url: '/some/where?x=1', body: '{"a":1}' });
    expect(answer.env).toEqual({
      APP_ID: 'beta',
      APP_PORT: String(ports.beta),
      APP_PROTOCOL: 'http',
      DAPR_HTTP_PORT: expect.stringMatching(/^\d+$/),
      DAPR_GRPC_PORT: expect.stringMatching(/^\d+$/),
      GREETING: 'hello beta',
    });
  });

  it('shows the components that the sidecars have loaded', async () => {
    const { code, text } = await world.run(['components']);
    expect(code, text).toBe(0);
    expect(text).toMatch(/alpha +statestore +state\.sqlite/);
    expect(text).toMatch(/beta +pubsub +pubsub\.sqlite/);
  });

  it('publishes in the name of an app', async () => {
    const { code, text } = await world.run(['publish', '-i', 'alpha', '-p', 'pubsub', '-t', 'things', '-d', '{"n":1}']);
    expect({ code, text }).toEqual({ code: 0, text: 'published to things of pubsub\n' });
  });

  it('names the near app when a name is wrong', async () => {
    const { code, text } = await world.run(['invoke', '-a', 'alpa', '-m', 'x']);
    expect(code).toBe(1);
    expect(text).toBe('weft: --app-id alpa: no such app is running (did you mean alpha?); running: alpha, beta\n');
  });

  it('ends when one of its apps is stopped, and leaves no process', async () => {
    const { code, text } = await world.run(['stop', 'alpha', 'beta']);
    expect({ code, text }).toEqual({ code: 0, text: 'stopped alpha\nstopped beta\n' });
    expect(await run.exit()).toBe(0);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });
});
