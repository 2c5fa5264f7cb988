import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, grpcCall } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { rawRequest } from '../../support/raw-http.js';

/** Real processes (cases S4, S8): nothing but health checks passes without the API token, on either door; apps get their own token only. */

const TOKEN = 'api-s3cr3t';
const APP_TOKEN = 'app-s3cr3t';
const env = { DAPR_API_TOKEN: TOKEN, APP_API_TOKEN: APP_TOKEN };

let mesh: Mesh;
let grpcApp: Http2Server;
const seen: unknown[] = [];
const sidecars = new Map<string, SidecarProcess>();

beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((request, response) => {
    seen.push(request.headers['dapr-api-token']);
    response.end('hello');
  });
  grpcApp = createServer().on('stream', (stream, headers) => {
    seen.push(headers['dapr-api-token']);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.resume().on('end', () => stream.end(Buffer.alloc(5)));
  });
  await new Promise<void>((resolve) => grpcApp.listen(0, '127.0.0.1', resolve));
  const { port } = grpcApp.address() as AddressInfo;
  const ledger = await mesh.sidecar({ appId: 'ledger', appPort: port, args: ['--app-protocol', 'grpc'], env });
  for (const door of ['envoy', 'service'] as const)
    sidecars.set(door, await mesh.sidecar({ appId: `orders-${door}`, appPort, door, env }));
  await Promise.all([ledger, ...sidecars.values()].map((sidecar) => sidecar.ready()));
  // What sidecars asked the apps at the start.
  seen.length = 0;
});
afterAll(async () => {
  grpcApp.close();
  await mesh.close();
});

const good = { 'dapr-api-token': TOKEN };

describe.each(['envoy', 'service'])('the %s door', (door) => {
  const sidecar = () => sidecars.get(door) as SidecarProcess;
  const other = door === 'envoy' ? 'orders-service' : 'orders-envoy';
  const calls: [string, string, Record<string, string>, string?][] = [
    ['another app by path', `/v1.0/invoke/${other}/method/x`, {}],
    ['itself by path', `/v1.0/invoke/orders-${door}/method/x`, {}],
    ['an app by header', '/x', { 'dapr-app-id': other }],
    ['an app by basic auth', '/x', { authorization: `Basic ${Buffer.from(`dapr-app-id:${other}`).toString('base64')}` }],
    ['an unknown app', '/v1.0/invoke/nobody/method/x', {}],
    ['an actor', '/v1.0/actors/T/1/method/m', {}],
    ['state', '/v1.0/state/statestore/key', {}],
    ['metadata', '/v1.0/metadata', {}],
    ['no route', '/nothing', {}],
    ['healthz with another verb', '/v1.0/healthz', {}, 'POST'],
    ['below healthz', '/v1.0/healthz/x', {}],
    ['healthz in the path', `/v1.0/invoke/${other}/method/v1.0/healthz`, {}],
    ['healthz in the query', `/v1.0/invoke/${other}/method/x?/v1.0/healthz`, {}],
    ['healthz and dots', `/v1.0/healthz/../invoke/${other}/method/x`, {}],
    ['healthz and escaped dots', `/v1.0/healthz/%2e%2e/invoke/${other}/method/x`, {}],
    ['healthz and an escaped slash', `/v1.0/healthz%2f..%2finvoke/${other}/method/x`, {}],
    ['an escaped version', `/%76%31.0/invoke/${other}/method/x`, {}],
    ['healthz of an app', '/v1.0/healthz', { 'dapr-app-id': other }, 'PUT'],
  ];
  it.each(calls)('refuses %s', async (_about, target, headers, method) => {
    const where = { host: '127.0.0.1', port: sidecar().httpPort };
    for (const token of [undefined, 'wrong', '', `${TOKEN}x`]) {
      const sent = { ...headers, ...(token === undefined ? {} : { 'dapr-api-token': token }) };
      const answer = await rawRequest(where, { target, method: method ?? 'GET', headers: sent });
      expect(answer).toEqual({ status: 401, body: 'invalid api token' });
    }
    expect(seen.splice(0)).toEqual([]);
  });

  it('refuses the token in the query', async () => {
    expect((await call(`${sidecar().api}/v1.0/metadata?dapr-api-token=${TOKEN}`)).status).toBe(401);
  });

  it.each(['/v1.0/healthz', '/v1.0/healthz/outbound', '/v1.0/healthz?x=1'])('answers GET %s', async (path) => {
    expect((await call(sidecar().api + path)).status).toBe(204);
  });

  it('passes calls with the token, and the app gets its own token in its place', async () => {
    for (const [path, headers] of [
      [`/v1.0/invoke/${other}/method/x`, {}],
      [`/v1.0/invoke/orders-${door}/method/x`, {}],
      ['/x', { 'dapr-app-id': other }],
    ] as const)
      expect((await call(sidecar().api + path, { headers: { ...headers, ...good } })).body).toBe('hello');
    expect(seen.splice(0)).toEqual([APP_TOKEN, APP_TOKEN, APP_TOKEN]);
    expect((await call(`${sidecar().api}/v1.0/state/statestore/key`, { headers: good })).status).toBe(204);
    const unknown = await call(`${sidecar().api}/v1.0/invoke/nobody/method/x`, { headers: good });
    expect([unknown.status, JSON.parse(unknown.body).errorCode]).toEqual([500, 'ERR_DIRECT_INVOKE']);
  });

  it('asks gRPC calls too, proxied ones and its own', async () => {
    const grpc = (path: string, metadata: Record<string, string>) =>
      grpcCall(`http://127.0.0.1:${sidecar().grpcPort}`, path, { 'dapr-app-id': 'ledger', ...metadata });
    for (const path of ['/shop.Ledger/Get', '/dapr.proto.runtime.v1.Dapr/GetMetadata', '/grpc.reflection.v1.ServerReflection/X'])
      for (const metadata of [{}, { 'dapr-api-token': 'wrong' }] as Record<string, string>[])
        expect(await grpc(path, metadata)).toMatchObject({ status: '16', message: 'Unauthorized' });
    expect(seen.splice(0)).toEqual([]);
    expect((await grpc('/shop.Ledger/Get', good)).status).toBe('0');
    expect(seen.splice(0)).toEqual([APP_TOKEN]);
    expect((await grpc('/dapr.proto.runtime.v1.Dapr/GetMetadata', good)).status).toBe('0');
  });

  it('keeps the tokens out of its output', () => {
    expect(sidecar().cli.text()).not.toMatch(new RegExp(`${TOKEN}|${APP_TOKEN}`));
  });
});

it('shows no token in Envoy’s configuration dump, nor outside files that only this user can read', async () => {
  const runtime = join(mesh.world.home, 'run');
  const dirs = readdirSync(runtime).map((name) => join(runtime, name));
  let dumps = 0;
  for (const dir of dirs) {
    const { body } = await call('http://x/config_dump?include_eds', { socketPath: join(dir, 'admin.sock') });
    expect(body).not.toMatch(new RegExp(`${TOKEN}|${APP_TOKEN}`));
    if (body.includes('[redacted]')) dumps += 1;
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.json')))
      if (readFileSync(join(dir, file), 'utf8').includes('s3cr3t')) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
  }
  expect(dumps).toBe(3);
});
