import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call, grpcCall } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Real processes: what `spec.api` denies is not served on either door, whoever would have answered it. */

const configuration = (denied: readonly object[]) =>
  JSON.stringify({
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Configuration',
    metadata: { name: 'api' },
    spec: { api: { denied } },
  });
const DENIED = [
  { name: 'invoke', version: 'v1', protocol: 'http' },
  { name: 'actors', version: 'v1', protocol: 'http' },
  { name: 'state', version: 'v1', protocol: 'http' },
  { name: 'state', version: 'v1', protocol: 'grpc' },
];

let mesh: Mesh;
let file: string;
const sidecars = new Map<string, SidecarProcess>();
let reached = 0;

beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((_, response) => {
    reached += 1;
    response.end('hello');
  });
  mkdirSync(join(mesh.world.home, 'config'));
  file = join(mesh.world.home, 'config', 'api.yaml');
  writeFileSync(file, configuration(DENIED));
  const other = await mesh.sidecar({ appId: 'other', appPort });
  for (const door of ['envoy', 'service'] as const)
    sidecars.set(door, await mesh.sidecar({ appId: `orders-${door}`, appPort, door, args: ['--config', file] }));
  await Promise.all([other, ...sidecars.values()].map((sidecar) => sidecar.ready()));
});
afterAll(() => mesh.close());

describe.each(['envoy', 'service'])('the %s door', (door) => {
  const sidecar = () => sidecars.get(door) as SidecarProcess;
  const get = (path: string, headers: Record<string, string> = {}) => call(sidecar().api + path, { headers });

  it.each([
    ['by path', '/v1.0/invoke/other/method/x', {}],
    ['by path to itself', `/v1.0/invoke/orders-${door}/method/x`, {}],
    ['by header', '/x', { 'dapr-app-id': 'other' }],
    ['by header as if it were gRPC', '/x', { 'dapr-app-id': 'other', 'content-type': 'application/grpc' }],
    ['by basic auth', '/x', { authorization: `Basic ${Buffer.from('dapr-app-id:other').toString('base64')}` }],
    ['with dots', '/v1.0/metadata/../invoke/other/method/x', {}],
    ['with an escaped letter', '/v1.0/%69nvoke/other/method/x', {}],
  ] as [string, string, Record<string, string>][])('serves no call of an app %s', async (_about, path, headers) => {
    await get(path, headers);
    expect(reached).toBe(0);
    if (headers['content-type'] === undefined) {
      const { status, body } = await get(path, headers);
      expect([status, JSON.parse(body).errorCode]).toEqual([404, 'ERR_DIRECT_INVOKE']);
    }
  });

  it('serves no call of an app by HTTP on the gRPC port', async () => {
    const session = connect(`http://127.0.0.1:${sidecar().grpcPort}`);
    session.on('error', () => {});
    const stream = session.request({ ':path': '/v1.0/invoke/other/method/x' });
    await new Promise((resolve) => stream.on('close', resolve).on('error', resolve).resume());
    session.destroy();
    expect(reached).toBe(0);
  });

  it('serves no denied part that it answers itself', async () => {
    for (const path of ['/v1.0/state/statestore/key', '/v1.0/actors/T/1/state/k', '/v1.0/actors/T/1/method/m'])
      expect((await get(path)).status).toBe(404);
    const path = '/dapr.proto.runtime.v1.Dapr/GetState';
    expect(await grpcCall(`http://127.0.0.1:${sidecar().grpcPort}`, path)).toMatchObject({
      status: '12',
      message: 'requested endpoint is not available',
    });
  });

  it('serves the rest', async () => {
    expect((await get('/v1.0/metadata')).status).toBe(200);
    expect((await get('/v1.0/healthz')).status).toBe(204);
    const metadata = await grpcCall(`http://127.0.0.1:${sidecar().grpcPort}`, '/dapr.proto.runtime.v1.Dapr/GetMetadata');
    expect(metadata.status).toBe('0');
  });
});

it('follows a change without a restart, in both directions, for connections that are open too', async () => {
  const paths = [...sidecars.values()].map(({ api }) => `${api}/v1.0/invoke/other/method/x`);
  const allAre = (status: number) => () =>
    eventually(async () => {
      for (const path of paths) expect((await fetch(path)).status).toBe(status);
    }, 10_000);
  await allAre(404)();
  writeFileSync(file, configuration([]));
  await allAre(200)();
  writeFileSync(file, configuration(DENIED));
  await allAre(404)();
});
