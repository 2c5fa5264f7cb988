import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliWorld, createCliWorld } from '../../support/weft-cli.js';

let world: CliWorld;
beforeAll(async () => {
  world = await createCliWorld();
});
afterAll(() => world.close());

describe('an app that fails', () => {
  it('is named with its last lines, and its exit code is that of the run', async () => {
    const port = await world.port();
    const script = 'echo first; echo last words >&2; sleep 1; exit 42';
    const run = world.weft(['run', '--app-id', 'broken', '--app-port', String(port), '--', 'sh', '-c', script]);
    expect(await run.exit()).toBe(42);
    expect(run.text()).toContain('app broken failed (exit code 42)');
    expect(run.text()).toMatch(/its last 2 lines:\n {2}first\n {2}last words\n/);
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });

  it('ends the run with 0 when it ends by itself with 0', async () => {
    const run = world.weft(['run', '--app-id', 'brief', '--', 'sh', '-c', 'echo done']);
    expect(await run.exit()).toBe(0);
    expect(run.text()).toContain('app brief ended (exit code 0)');
  });

  it('says in one line that its command is not there', async () => {
    const run = world.weft(['run', '--app-id', 'nothing', '--', 'weft-no-such-command']);
    expect(await run.exit()).toBe(127);
    expect(run.text()).toContain('app nothing failed (`weft-no-such-command` was not found; is it installed and on PATH?)');
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });
});
