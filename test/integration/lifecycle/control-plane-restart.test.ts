import { afterEach, beforeEach, expect, it } from 'vitest';
import { sleep } from '../../../src/lib/async.js';
import { createMesh, type Mesh, traffic } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('loses no request while the control plane is killed, away, and back with an empty memory', async () => {
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  const orders = await mesh.sidecar({ appId: 'orders', appPort });
  const caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), caller.ready()]);
  const first = await fetch(`${caller.api}/v1.0/invoke/orders/method/x`);
  expect(await first.text()).toBe('hello');

  const load = traffic(`${caller.api}/v1.0/invoke/orders/method/x`);
  await mesh.killControlPlane();
  await sleep(2000);
  await mesh.startControlPlane();
  // Longer than the time that it waits for instances to attach again.
  await sleep(5000);
  const { good, bad } = await load.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(100);

  const late = await mesh.sidecar({ appId: 'late' });
  await late.ready();
  expect(await (await fetch(`${late.api}/v1.0/invoke/orders/method/x`)).text()).toBe('hello');
});
