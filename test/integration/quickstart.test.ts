import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliWorld, createCliWorld } from '../support/weft-cli.js';

let world: CliWorld;
beforeAll(async () => {
  world = await createCliWorld();
});
afterAll(() => world.close());

function occupy(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(server));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

describe('weft quickstart --once', () => {
  it('shows every block at work between two apps, on other ports where the usual ones are taken, and ends with 0', async () => {
    const taken = await occupy(6001);
    const run = world.weft(['quickstart', '--once']);
    const code = await run.exit(55_000);
    taken.close();
    expect(code, run.text()).toBe(0);
    expect(run.text()).toMatch(/port 6001 is taken; orders listens on \d+/);
    for (const block of ['call by name', 'state', 'publish/subscribe', 'actor'])
      expect(run.text()).toMatch(new RegExp(`^${block} +\\S.* +yes$`, 'm'));
    await expect.poll(() => world.processes(), { timeout: 5_000 }).toEqual([]);
  });
});
