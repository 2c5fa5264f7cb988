import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../support/envoy-rig.js';
import { call } from '../support/http-call.js';

/** Real Envoys: each way to name an app reaches it, with the path that is its own. */

let rig: EnvoyRig;
let caller: RigSidecar;
let recorder: RigSidecar;
beforeAll(async () => {
  const tracing = { samplingRate: '0.01', otel: { endpointAddress: '127.0.0.1:9' } };
  rig = await createRig({ specs: { recorder: { tracing }, notes: { tracing } } });
  caller = await rig.add({ appId: 'checkout' });
  await rig.add({ appId: 'orders' });
  await rig.add({ appId: 'orders', instanceId: 'orders-prod', namespace: 'prod' });
  await rig.add({ appId: 'ledger', appProtocol: 'grpc' });
  const spanSink = { socket: '/nowhere', hasCollector: false };
  recorder = await rig.add({ appId: 'recorder', spanSink });
  await rig.add({ appId: 'notes', appProtocol: 'grpc', spanSink });
  await rig.update({});
});
afterAll(() => rig.close());

const basic = (key: string) => `Basic ${Buffer.from(`dapr-app-id:${key}`).toString('base64')}`;
const seenBy = async (path: string, headers: Record<string, string> = {}): Promise<Seen> =>
  JSON.parse((await call(caller.api + path, { headers })).body) as Seen;

it.each([
  ['path', '/v1.0/invoke/orders/method/a/b?x=1&y=%2F', {}, 'orders', '/a/b?x=1&y=%2F'],
  ['path to the root', '/v1.0/invoke/orders/method/', {}, 'orders', '/'],
  ['path with namespace', '/v1.0/invoke/orders.prod/method/a', {}, 'orders-prod', '/a'],
  ['path with own namespace', '/v1.0/invoke/orders.default/method/a', {}, 'orders', '/a'],
  ['header', '/a/b?x=1', { 'dapr-app-id': 'orders' }, 'orders', '/a/b?x=1'],
  ['header with namespace', '/a', { 'dapr-app-id': 'orders.prod' }, 'orders-prod', '/a'],
  ['basic auth', '/a', { authorization: basic('orders') }, 'orders', '/a'],
  ['basic auth with namespace', '/a', { authorization: basic('orders.prod') }, 'orders-prod', '/a'],
])('by %s', async (_, path, headers, from, url) => {
  expect(await seenBy(path, headers)).toMatchObject({ from, url });
});

it('of itself, without leaving the host', async () => {
  const seen = await seenBy('/v1.0/invoke/checkout/method/a');
  expect(seen).toMatchObject({ from: 'checkout', url: '/a' });
  expect(Object.keys(seen.headers)).not.toContain('forwarded');
});

it('through the loopback listener, which the filter service uses', async () => {
  const { body } = await call('http://localhost/v1.0/invoke/orders/method/a', { socketPath: caller.instance.sockets?.loopback });
  expect(JSON.parse(body)).toMatchObject({ from: 'orders', url: '/a' });
});

it('that speaks gRPC: an HTTP call goes to its filter service, which calls OnInvoke', async () => {
  const seen = await seenBy('/v1.0/invoke/ledger/method/a');
  expect(seen).toMatchObject({ from: 'service of ledger', url: '/a', headers: { 'x-weft-to': 'app-callback' } });
  expect(seen.headers.forwarded).toMatch(/^for=127\.0\.0\.1;by=127\.0\.0\.1;host=/);
  expect(seen.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': expect.any(String) });
});

it('that speaks gRPC: whether or not the call is recorded, its filter service is told the same', async () => {
  const told = async (flags: string) => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`;
    const { body } = await call(`${recorder.api}/v1.0/invoke/notes/method/a`, { headers: { traceparent } });
    const { headers, ...rest } = JSON.parse(body) as Seen;
    const { traceparent: goesOn, tracestate: _, ...others } = headers;
    return { goesOn, seen: { ...rest, headers: others } };
  };
  const recorded = await told('01');
  const other = await told('00');
  expect(other.goesOn, 'it met no tracer').toBe(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`);
  expect(recorded.goesOn, 'the tracer put its own span there').toMatch(/^00-a{32}-(?!b{16})[\da-f]{16}-01$/);
  expect(recorded.seen).toEqual(other.seen);
  expect(recorded.seen.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-weft-to': 'app-callback' });
  expect(recorded.seen.headers.forwarded).toMatch(/^for=127\.0\.0\.1;by=127\.0\.0\.1;host=/);
});

it('that nobody knows: the filter service answers, whatever the form', async () => {
  for (const [path, headers] of [
    ['/v1.0/invoke/nobody/method/a', {}],
    ['/v1.0/invoke/ordersx/method/a', {}],
    ['/v1.0/invoke/orders/a', {}],
    ['/a', { 'dapr-app-id': 'nobody' }],
    ['/a', { authorization: basic('nobody') }],
    ['/a', {}],
  ] as const)
    expect(await seenBy(path, headers)).toMatchObject({ from: 'service of checkout', url: path });
});

it('is not asked when the path is the API’s own', async () => {
  for (const path of ['/v1.0/state/statestore/k', '/v1.0-alpha1/query', '/v1.0/metadata'])
    expect(await seenBy(path, { 'dapr-app-id': 'orders' })).toMatchObject({ from: 'service of checkout', url: path });
});

it('on HTTP is not taken from dapr-callee-app-id, which an app may hand on', async () => {
  expect(await seenBy('/a', { 'dapr-app-id': 'orders', 'dapr-callee-app-id': 'checkout' })).toMatchObject({ from: 'orders' });
});
