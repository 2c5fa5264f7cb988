import { afterEach, beforeEach, it } from 'vitest';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('logs each call on request, also those that Envoy answers', async () => {
  const appPort = await mesh.app((_request, response) => response.end());
  const sidecar = await mesh.sidecar({ appId: 'orders', appPort, args: ['--enable-api-logging=true'] });
  await sidecar.ready();
  await fetch(`${sidecar.api}/v1.0/invoke/orders/method/x?secret=1`);
  await sidecar.cli.until(/msg="HTTP API Called".*method="GET \/v1\.0\/invoke\/orders\/method\/x"/);
});
