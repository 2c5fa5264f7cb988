import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('lets nothing but health through without the API token, whatever the form of the call, and the app never sees the token', async () => {
  const seen: unknown[] = [];
  const appPort = await mesh.app((request, response) => {
    seen.push(request.headers['dapr-api-token']);
    response.end('hello');
  });
  const env = { DAPR_API_TOKEN: 'secret' };
  const sidecar = await mesh.sidecar({ appId: 'orders', appPort, door: 'envoy', env });
  await sidecar.ready();
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(sidecar.api + path, { headers })).status;
  const calls: [string, Record<string, string>?][] = [
    ['/v1.0/invoke/orders/method/x'],
    ['/%76%31.0/invoke/orders/method/x'],
    ['/v1.0/state/statestore/key'],
    ['/x', { 'dapr-app-id': 'orders' }],
    ['/v1.0/healthz/../invoke/orders/method/x', { 'dapr-api-token': 'wrong' }],
  ];
  for (const [path, headers] of calls) expect(await status(path, headers)).toBe(401);
  expect(seen).toEqual([]);
  const token = { 'dapr-api-token': 'secret' };
  expect(await status('/v1.0/invoke/orders/method/x', token)).toBe(200);
  expect(await status('/x', { ...token, 'dapr-app-id': 'orders' })).toBe(200);
  expect(await status('/v1.0/state/statestore/key', token)).toBe(204);
  expect(seen).toEqual([undefined, undefined]);
});

it('logs each call on request, also those that Envoy answers', async () => {
  const appPort = await mesh.app((_request, response) => response.end());
  const sidecar = await mesh.sidecar({ appId: 'orders', appPort, args: ['--enable-api-logging=true'] });
  await sidecar.ready();
  await fetch(`${sidecar.api}/v1.0/invoke/orders/method/x?secret=1`);
  await sidecar.cli.until(/msg="HTTP API Called".*method="GET \/v1\.0\/invoke\/orders\/method\/x"/);
});
