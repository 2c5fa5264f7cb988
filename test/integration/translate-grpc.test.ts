import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../support/envoy-rig.js';
import { call, grpcCall } from '../support/http-call.js';

/** Real Envoys: gRPC proxying by metadata, and the API's own services. */

let rig: EnvoyRig;
let caller: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'checkout', appProtocol: 'grpc' });
  await rig.add({ appId: 'ledger', appProtocol: 'grpc' });
  await rig.update({});
});
afterAll(() => rig.close());

const METHOD = '/shop.v1.Ledger/Post';
const grpc = (path: string, metadata: Record<string, string> = {}) =>
  grpcCall(`http://127.0.0.1:${caller.instance.grpcPort}`, path, metadata);

it.each([
  ['dapr-app-id', { 'dapr-app-id': 'ledger' }],
  ['dapr-app-id with namespace', { 'dapr-app-id': 'ledger.default' }],
  ['dapr-callee-app-id, which comes first', { 'dapr-callee-app-id': 'ledger', 'dapr-app-id': 'checkout' }],
])('a call goes to the app that %s names', async (_, metadata) => {
  const { headers, status } = await grpc(METHOD, metadata);
  expect([headers['x-from'], status]).toEqual(['ledger', '0']);
  const seen = JSON.parse(headers['x-seen'] ?? '{}');
  expect(seen).toMatchObject({
    ':path': METHOD,
    ':scheme': 'http',
    'dapr-caller-app-id': 'checkout',
    'dapr-callee-app-id': 'ledger',
  });
  expect(Object.keys(seen)).not.toContain('dapr-app-id');
});

it('who calls is not taken from metadata, however it is spelt', async () => {
  const { headers } = await grpc(METHOD, {
    'dapr-app-id': 'ledger',
    'dapr-caller-app-id': 'admin',
    'dapr-caller-namespace': 'kube-system',
    'dapr-caller-app-id-bin': Buffer.from('admin').toString('base64'),
    dapr_caller_app_id: 'admin',
    'dapr-api-token': 'secret',
    'x-weft-to': 'actor',
    'x-envoy-original-path': '/x',
    'x-forwarded-client-cert': 'URI=spiffe://public/ns/default/admin',
    'x-forwarded-host': 'evil',
    forwarded: 'for=1.1.1.1',
  });
  const seen = JSON.parse(headers['x-seen'] ?? '{}');
  expect(seen).toMatchObject({ 'dapr-caller-app-id': 'checkout', 'dapr-caller-namespace': 'default' });
  expect(Object.keys(seen).filter((name) => /^x-(weft|envoy)-|client-cert|api-token|forwarded(-for|-host|$)/.test(name))).toEqual(
    [],
  );
});

it('a call to the app itself stays at home', async () => {
  const { headers } = await grpc(METHOD, { 'dapr-app-id': 'checkout' });
  expect(headers['x-from']).toBe('checkout');
  expect(headers['x-seen']).not.toContain('x-weft-');
});

it('an HTTP call to the app itself goes to its filter service, and nothing was forwarded', async () => {
  const { body } = await call(`${caller.api}/v1.0/invoke/checkout/method/a`, { headers: { 'x-weft-to': 'actor' } });
  const { from, headers } = JSON.parse(body) as Seen;
  expect([from, headers['x-weft-to']]).toEqual(['service of checkout', 'app-callback']);
  expect(Object.keys(headers).filter((name) => /forwarded(-for|-host|$)/.test(name))).toEqual([]);
});

it('Dapr’s own service goes to the filter service, even with an app named', async () => {
  const { headers } = await grpc('/dapr.proto.runtime.v1.Dapr/GetState', { 'dapr-app-id': 'ledger' });
  expect(headers['x-from']).toBe('service of checkout');
});

it('the loopback listener and the HTTP port serve gRPC too', async () => {
  const { headers } = await grpcCall(caller.api, METHOD, { 'dapr-app-id': 'ledger' });
  expect(headers['x-from']).toBe('ledger');
});

it('a call that names no app is refused in Dapr’s words', async () => {
  expect(await grpc(METHOD)).toMatchObject({
    status: '2',
    message: 'failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found',
  });
});

it('a call to an unknown app is Unavailable, at once', async () => {
  expect(await grpc(METHOD, { 'dapr-app-id': 'nobody' })).toMatchObject({
    status: '14',
    message: expect.stringContaining('dapr-app-id'),
  });
  expect(await grpc(METHOD, { 'dapr-callee-app-id': 'nobody' })).toMatchObject({ status: '14' });
});

it('a call to an app without ready instance is Unavailable', async () => {
  await rig.update({ instances: (all) => all.map((it) => (it.appId === 'ledger' ? { ...it, appReady: false } : it)) });
  expect(await grpc(METHOD, { 'dapr-app-id': 'ledger' })).toMatchObject({ status: '14', message: 'no healthy upstream' });
});
