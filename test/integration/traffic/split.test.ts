import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { call, grpcCall } from '../../support/http-call.js';

/** Real Envoys: rules send the calls of every form of address to weighted backends, versions and other namespaces. */

let rig: EnvoyRig;
let caller: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'web' });
  await rig.add({ appId: 'orders', instanceId: 'orders-1', labels: { version: 'v1' } });
  await rig.add({ appId: 'orders', instanceId: 'orders-2', labels: { version: 'v2' } });
  await rig.add({ appId: 'orders-next', instanceId: 'next' });
  await rig.add({ appId: 'orders', instanceId: 'orders-prod', namespace: 'prod' });
  await rig.add({ appId: 'ledger', appProtocol: 'grpc' });
  await rig.add({ appId: 'ledger-next', appProtocol: 'grpc' });
});
afterAll(() => rig.close());

const route = (rules: string, name = 'orders') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ kind: Service, group: "", name: orders }]
  rules: ${rules}
`;
const FORMS = [
  ['path', '/v1.0/invoke/orders/method', {}],
  ['path with namespace', '/v1.0/invoke/orders.default/method', {}],
  ['header', '', { 'dapr-app-id': 'orders' }],
  ['basic auth', '', { authorization: `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}` }],
] as const;

async function shares(times: number, base: string, headers: Record<string, string>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i += 1) {
    const { status, body } = await call(`${caller.api}${base}/a/b?x=1`, { headers });
    const { from = `status ${status}`, url } = JSON.parse(body) as Partial<Seen>;
    if (status === 200) expect(url).toBe('/a/b?x=1');
    counts[from] = (counts[from] ?? 0) + 1;
  }
  return counts;
}

it('splits 80 to 20 between two apps', async () => {
  const backends = '[{ name: orders@v1, weight: 80 }, { name: orders-next, weight: 20 }]';
  await rig.update({ resources: route(`[{ backendRefs: ${backends} }]`) });
  for (const [, base, headers] of FORMS) {
    const counts = await shares(200, base, headers);
    expect(Object.keys(counts).sort()).toEqual(['next', 'orders-1']);
    // 40 expected; beyond five standard deviations (5.7) something is wrong and not unlucky.
    expect(counts.next).toBeGreaterThan(11);
    expect(counts.next).toBeLessThan(69);
  }
});

it('sends a version’s share to the instances with that label', async () => {
  await rig.update({ resources: route('[{ backendRefs: [{ name: orders@v2 }] }]') });
  for (const [, base, headers] of FORMS) expect(await shares(10, base, headers)).toEqual({ 'orders-2': 10 });
});

it('sends calls to another namespace', async () => {
  await rig.update({ resources: route('[{ backendRefs: [{ name: orders, namespace: prod }] }]') });
  for (const [, base, headers] of FORMS) expect(await shares(5, base, headers)).toEqual({ 'orders-prod': 5 });
});

it('tells the app whom the call reached', async () => {
  await rig.update({
    resources: route('[{ backendRefs: [{ name: orders-next, weight: 1 }, { name: orders-next, weight: 1 }] }]'),
  });
  const { body } = await call(`${caller.api}/v1.0/invoke/orders/method/a`);
  expect((JSON.parse(body) as Seen).headers).toMatchObject({ 'dapr-callee-app-id': 'orders-next', 'dapr-caller-app-id': 'web' });
});

it('answers in Dapr’s words for the share of an app that is not there, and only for that', async () => {
  await rig.update({ resources: route('[{ backendRefs: [{ name: orders@v1 }, { name: nobody }] }]') });
  const counts = await shares(60, FORMS[0][1], {});
  expect(Object.keys(counts).sort()).toEqual(['orders-1', 'status 500']);
  await rig.update({ resources: route('[{ backendRefs: [{ name: nobody }] }]') });
  const { status, body } = await call(`${caller.api}/v1.0/invoke/orders/method/a`);
  expect([status, JSON.parse(body)]).toEqual([
    500,
    { errorCode: 'ERR_DIRECT_INVOKE', message: expect.stringMatching(/^failed to invoke, id: nobody, err: no healthy upstream/) },
  ]);
});

it('a name that only rules know leads to their backends', async () => {
  const root = route('[{ backendRefs: [{ name: orders-next }] }]').replace('name: orders }]\n', 'name: shop }]\n');
  await rig.update({ resources: root });
  const { body } = await call(`${caller.api}/v1.0/invoke/shop/method/a`);
  expect(JSON.parse(body)).toMatchObject({ from: 'next', url: '/a' });
});

it('reads an SMI TrafficSplit as the same rule', async () => {
  await rig.update({
    resources: `
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: { name: split }
spec: { service: orders, backends: [{ service: orders@v2, weight: 0 }, { service: orders-next, weight: 100 }] }
`,
  });
  for (const [, base, headers] of FORMS) expect(await shares(10, base, headers)).toEqual({ next: 10 });
});

it('splits gRPC calls by service and method', async () => {
  await rig.update({
    resources: `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: ledger }
spec:
  parentRefs: [{ kind: Service, group: "", name: ledger }]
  rules:
    - matches: [{ method: { service: shop.v1.Ledger, method: Post }, headers: [{ name: canary, value: "yes" }] }]
      backendRefs: [{ name: ledger-next }]
    - matches: [{ method: { service: shop.v1.Ledger } }]
`,
  });
  const grpc = (path: string, metadata: Record<string, string> = {}) =>
    grpcCall(`http://127.0.0.1:${caller.instance.grpcPort}`, path, { 'dapr-app-id': 'ledger', ...metadata });
  expect((await grpc('/shop.v1.Ledger/Post', { canary: 'yes' })).headers['x-from']).toBe('ledger-next');
  expect((await grpc('/shop.v1.Ledger/Post')).headers['x-from']).toBe('ledger');
  expect((await grpc('/shop.v1.Ledger/Get', { canary: 'yes' })).headers['x-from']).toBe('ledger');
  // Unimplemented: no rule knows the service.
  expect((await grpc('/shop.v1.Other/Get')).status).toBe('12');
});

it('goes straight again when the rules are gone', async () => {
  await rig.update({ resources: '' });
  expect(await shares(10, FORMS[0][1], {})).toEqual({ 'orders-1': 5, 'orders-2': 5 });
});
