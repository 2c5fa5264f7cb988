import { afterEach, beforeEach, expect, it } from 'vitest';
import { sleep } from '../../../src/lib/async.js';
import { createMesh, type Mesh, traffic } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

/** Answers `/slow` only after a second. */
const app = () =>
  mesh.app((request, response) => {
    setTimeout(() => response.end('done'), request.url?.includes('slow') ? 1000 : 0);
  });

it.each(['envoy', 'service'] as const)('lets a request under way end after SIGTERM, and exits with 0: %s door', async (door) => {
  const orders = await mesh.sidecar({ appId: 'orders', appPort: await app(), door });
  const caller = await mesh.sidecar({ appId: 'caller', door });
  await Promise.all([orders.ready(), caller.ready()]);
  // One through the callee's inbound listener, one through its own API.
  const calls = [caller, orders].map(({ api }) => fetch(`${api}/v1.0/invoke/orders/method/slow`).then((reply) => reply.text()));
  await sleep(300);
  orders.cli.signal('SIGTERM');
  expect(await Promise.all(calls)).toEqual(['done', 'done']);
  expect(await orders.cli.exit()).toBe(0);
  expect(orders.envoys()).toEqual([]);
});

it('ends without one failed request to the instance that stays', async () => {
  const [first, second] = [
    await mesh.sidecar({ appId: 'orders', appPort: await app() }),
    await mesh.sidecar({ appId: 'orders', appPort: await app() }),
  ];
  const caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([first.ready(), second.ready(), caller.ready()]);
  const load = traffic(`${caller.api}/v1.0/invoke/orders/method/x`);
  await sleep(500);
  first.cli.signal('SIGTERM');
  expect(await first.cli.exit()).toBe(0);
  await sleep(500);
  const { good, bad } = await load.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(50);
});

it('stops on POST /v1.0/shutdown', async () => {
  const sidecar = await mesh.sidecar({ appId: 'orders' });
  await sidecar.ready();
  expect((await fetch(`${sidecar.api}/v1.0/shutdown`, { method: 'POST' })).status).toBe(204);
  expect(await sidecar.cli.exit()).toBe(0);
});

it('ends at once and with 1 when the stop is forced', async () => {
  const sidecar = await mesh.sidecar({ appId: 'orders' });
  await sidecar.ready();
  const headers = { 'dapr-force-shutdown': 'true' };
  expect((await fetch(`${sidecar.api}/v1.0/shutdown`, { method: 'POST', headers })).status).toBe(204);
  expect(await sidecar.cli.exit()).toBe(1);
});
