import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('takes an app that is not healthy out of the callers’ reach, and back when it recovers', async () => {
  let healthy = false;
  const appPort = await mesh.app((request, response) => {
    response.statusCode = request.url === '/live' && !healthy ? 503 : 200;
    response.end('hello');
  });
  const flags = ['--app-health-probe-interval', '1', '--app-health-threshold', '1', '--app-health-check-path', '/live'];
  const orders = await mesh.sidecar({ appId: 'orders', appPort, args: ['--enable-app-health-check', ...flags] });
  const caller = await mesh.sidecar({ appId: 'caller' });
  await caller.ready();
  const status = async () => (await fetch(`${caller.api}/v1.0/invoke/orders/method/x`)).status;
  await orders.cli.until(/Envoy serves/);
  expect(await status()).toBe(500);
  healthy = true;
  await orders.ready();
  await eventually(async () => expect(await status()).toBe(200));
  healthy = false;
  await eventually(async () => expect(await status()).toBe(500));
  healthy = true;
  await eventually(async () => expect(await status()).toBe(200));
});
