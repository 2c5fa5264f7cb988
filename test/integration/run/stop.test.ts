import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliProcess, type CliWorld, createCliWorld, MIRROR_APP } from '../../support/weft-cli.js';

let world: CliWorld;
beforeEach(async () => {
  world = await createCliWorld();
});
afterEach(() => world.close());

async function ready(command: readonly string[] = ['node', MIRROR_APP]): Promise<CliProcess> {
  const flags = ['--app-port', '--dapr-http-port', '--dapr-grpc-port'];
  const ports = await Promise.all(flags.map(async (flag) => [flag, String(await world.port())]));
  const run = world.weft(['run', '--app-id', 'app', ...ports.flat(), '--', ...command]);
  await run.until(/ready in [\d.]+ s/);
  expect(world.processes().length).toBeGreaterThan(3);
  return run;
}

describe('the end of a run', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves no process after %s, and is exit code 0', async (signal) => {
    const run = await ready();
    run.signal(signal);
    expect(await run.exit()).toBe(0);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('is hastened by a second Ctrl-C when an app does not heed the first', async () => {
    const run = await ready(['sh', '-c', `trap '' TERM; node ${MIRROR_APP} & while :; do sleep 0.1; done`]);
    run.signal('SIGINT');
    await run.until(/stopping; once more kills/);
    run.signal('SIGINT');
    expect(await run.exit()).toBe(130);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('takes everything along when the run itself is killed with SIGKILL', async () => {
    const run = await ready();
    run.signal('SIGKILL');
    expect(await run.exit()).toBe('SIGKILL');
    await expect.poll(() => world.processes(), { timeout: 10_000 }).toEqual([]);
  });
});
