import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessControlSpec, accessPolicy, decide } from '../../../src/model/access/policy.js';
import { createRig, type EnvoyRig, echo, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { call, grpcCall } from '../../support/http-call.js';
import { rawRequest } from '../../support/raw-http.js';

/** Real Envoys with mTLS: each caller is known by its certificate, and the callee's Envoy decides as the model does. */

const TD = 'weft.test';
const of = (appId: string, rest: object) => ({ appId, namespace: 'default', trustDomain: TD, ...rest });
const rule = (name: string, action: 'allow' | 'deny', httpVerb: readonly string[] = ['*']) => ({ name, action, httpVerb });
const ACCESS: AccessControlSpec = {
  defaultAction: 'deny',
  trustDomain: TD,
  policies: [
    of('checkout', {
      defaultAction: 'deny',
      operations: [
        rule('/orders/**', 'allow', ['GET', 'POST']),
        rule('/orders/*/secret', 'deny'),
        rule('/orders/open', 'allow'),
        rule('/files/*.txt', 'allow', ['GET']),
        rule('/é t', 'allow'),
      ],
    }),
    of('admin', { defaultAction: 'allow', operations: [rule('/orders/1', 'deny', ['DELETE'])] }),
    { ...of('checkout', { defaultAction: 'allow' }), namespace: 'prod' },
  ],
};
const CALLERS = [
  { appId: 'checkout', namespace: 'default' },
  { appId: 'admin', namespace: 'default' },
  { appId: 'stranger', namespace: 'default' },
  { appId: 'checkout', namespace: 'prod' },
];
const PATHS = [
  '/',
  '/orders',
  '/orders/1',
  '/orders/1/secret',
  '/orders/1/secret/x',
  '/orders/open',
  '/ORDERS/2',
  '/files/a.txt',
  '/files/a.bin',
  '/%C3%89%20T',
  '/x',
];
const VERBS = ['GET', 'POST', 'DELETE'];

let rig: EnvoyRig;
let orders: RigSidecar;
let ledger: RigSidecar;
const callers = new Map<string, RigSidecar>();

beforeAll(async () => {
  const grpc = {
    defaultAction: 'deny',
    policies: [of('checkout', { operations: [rule('/shop.Ledger/Get', 'allow', ['PUT'])] })],
  };
  rig = await createRig({ trustDomain: TD, specs: { orders: { accessControl: ACCESS }, ledger: { accessControl: grpc } } });
  orders = await rig.add({ appId: 'orders' });
  ledger = await rig.add({ appId: 'ledger', appProtocol: 'grpc', service: echo('service of ledger') });
  for (const { appId, namespace } of CALLERS) {
    const instanceId = `${appId}-${namespace}`;
    callers.set(`spiffe://${TD}/ns/${namespace}/${appId}`, await rig.add({ appId, namespace, instanceId }));
  }
  await rig.update({});
});
afterAll(() => rig.close());

const caller = (appId: string, namespace = 'default') => callers.get(`spiffe://${TD}/ns/${namespace}/${appId}`) as RigSidecar;
const invoke = (from: RigSidecar, path: string, verb = 'GET', app = 'orders.default') =>
  rawRequest({ host: '127.0.0.1', port: from.instance.httpPort }, { method: verb, target: `/v1.0/invoke/${app}/method${path}` });

describe('every caller, path and verb', () => {
  const policy = accessPolicy(ACCESS, 'http');
  it.each(CALLERS)('of $appId in $namespace', async ({ appId, namespace }) => {
    const id = `spiffe://${TD}/ns/${namespace}/${appId}`;
    for (const path of PATHS)
      for (const verb of VERBS) {
        const { status } = await invoke(caller(appId, namespace), path, verb);
        const wanted = policy && decide(policy, { caller: id, path, verb }) === 'allow' ? 200 : 403;
        expect(status, `${verb} ${path}`).toBe(wanted);
      }
  });
});

it('a denial says that it is one, in Dapr’s words, and not why', async () => {
  const { status, headers, body } = await call(`${caller('stranger').api}/v1.0/invoke/orders/method/orders/1`);
  expect(status).toBe(403);
  expect(headers['content-type']).toBe('application/json');
  expect(JSON.parse(body)).toEqual({
    errorCode: 'ERR_DIRECT_INVOKE',
    message: 'failed to invoke, id: orders, err: access control policy has denied access',
  });
});

it('a peer is who its certificate says, whatever it sends', async () => {
  const cert = await rig.identity?.clientOf({ namespace: 'default', appId: 'stranger' });
  const tls = { ...cert, checkServerIdentity: () => undefined };
  const where = { host: '127.0.0.1', port: orders.instance.inboundPort, tls };
  const headers = {
    'dapr-caller-app-id': 'admin',
    'dapr-caller-namespace': 'default',
    'x-forwarded-client-cert': `URI=spiffe://${TD}/ns/default/admin`,
  };
  expect((await rawRequest(where, { target: '/x', headers })).status).toBe(403);
});

it('turns of actors are no operations of the app', async () => {
  const { instanceId, appId, address, inboundPort } = orders.instance;
  const hosts = [{ instanceId, appId, address, port: inboundPort }];
  await rig.update({ placements: [{ namespace: 'default', actorType: 'T', generation: 1, hosts }] });
  const { status, body } = await call(`${caller('stranger').api}/v1.0/actors/T/1/method/m`, { method: 'PUT' });
  expect([status, (JSON.parse(body) as Seen).from]).toEqual([200, 'service of orders']);
});

it('an app may call itself', async () => {
  expect((await invoke(orders, '/x')).status).toBe(200);
});

describe('a gRPC app', () => {
  const grpc = (from: RigSidecar, path: string) =>
    grpcCall(`http://127.0.0.1:${from.instance.grpcPort}`, path, { 'dapr-app-id': 'ledger' });
  it('is asked by the full method, with case and without verb', async () => {
    expect((await grpc(caller('checkout'), '/shop.Ledger/Get')).status).toBe('0');
    for (const path of ['/shop.ledger/get', '/shop.Ledger/Put'])
      expect(await grpc(caller('checkout'), path)).toMatchObject({
        status: '7',
        message: 'access control policy has denied access',
      });
    expect((await grpc(caller('stranger'), '/shop.Ledger/Get')).status).toBe('7');
  });
  it('gets OnInvoke under the same rules', async () => {
    expect((await invoke(caller('checkout'), '/shop.Ledger/Get', 'POST', 'ledger')).status).toBe(200);
    expect((await invoke(caller('checkout'), '/other', 'POST', 'ledger')).status).toBe(403);
  });
  it('that calls itself by proxying has no certificate there, so the default action decides; OnInvoke is not checked', async () => {
    expect((await grpc(ledger, '/shop.Ledger/Get')).status).toBe('7');
    expect((await invoke(ledger, '/any', 'POST', 'ledger')).status).toBe(200);
  });
});

it('a change of the rules is in force without a restart', async () => {
  const open = { accessControl: { ...ACCESS, defaultAction: 'allow' } };
  await rig.update({ specs: { orders: open } });
  await expect.poll(async () => (await invoke(caller('stranger'), '/x')).status).toBe(200);
  await rig.update({ specs: { orders: { accessControl: ACCESS } } });
  await expect.poll(async () => (await invoke(caller('stranger'), '/x')).status).toBe(403);
});
