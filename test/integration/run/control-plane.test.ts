import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliProcess, type CliWorld, createCliWorld, MIRROR_APP } from '../../support/weft-cli.js';

let world: CliWorld;
beforeEach(async () => {
  world = await createCliWorld();
});
afterEach(() => world.close());

async function start(appId: string): Promise<CliProcess> {
  const flags = ['--app-port', '--dapr-http-port', '--dapr-grpc-port'];
  const ports = await Promise.all(flags.map(async (flag) => [flag, String(await world.port())]));
  const run = world.weft(['run', '--app-id', appId, ...ports.flat(), '--', 'node', MIRROR_APP]);
  await run.until(/ready in [\d.]+ s/);
  return run;
}

const controlPlanes = () => world.processes().filter((line) => line.includes(' control-plane '));
const listed = async () => {
  const { code, text } = await world.run(['list', '-o', 'json']);
  return code === 0 ? (JSON.parse(text) as readonly { appId: string }[]).map(({ appId }) => appId) : text;
};

describe('the control plane of runs', () => {
  it('is shared by a second run, which keeps one going when the first run ends', async () => {
    const first = await start('first');
    const second = await start('second');
    expect(controlPlanes()).toHaveLength(1);
    expect(await listed()).toEqual(['first', 'second']);
    first.signal('SIGTERM');
    expect(await first.exit()).toBe(0);
    await second.until(/this run starts one in its place/);
    await expect.poll(listed, { timeout: 20_000, interval: 500 }).toEqual(['second']);
    second.signal('SIGTERM');
    expect(await second.exit()).toBe(0);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('is started again when it is killed, and the apps are back in it', async () => {
    const run = await start('app');
    process.kill(Number.parseInt(controlPlanes()[0] as string, 10), 'SIGKILL');
    await run.until(/the control plane ended \(SIGKILL\)/);
    await expect.poll(listed, { timeout: 20_000, interval: 500 }).toEqual(['app']);
    run.signal('SIGTERM');
    expect(await run.exit()).toBe(0);
  });
});
