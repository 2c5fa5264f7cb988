import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpChannel } from '../../../src/blocks/app/http-channel.js';
import { createInvokeService } from '../../../src/blocks/invoke/service.js';
import { HTTPExtension_Verb } from '../../../src/gen/dapr/proto/common/v1/common.js';
import { accessPolicy, decide } from '../../../src/model/access/policy.js';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { grpcCall } from '../../support/http-call.js';
import { isAdmin, PATHS, readings, TRICKS, under } from '../../support/path-tricks.js';
import { type RawAnswer, rawRequest } from '../../support/raw-http.js';

/**
 * Real Envoys with mTLS (cases S1 and S2): a rule denies `/admin` and everything below. However the path is written, on whatever address
 * form and listener, either the request is refused, or the app gets exactly the path that the rule has seen and no server could
 * take that path for `/admin`.
 */

const operations = (name: string) => [{ name, httpVerb: ['*'], action: 'deny' as const }];
const accessControl = (name: string) => ({
  defaultAction: 'deny' as const,
  policies: [
    {
      appId: 'checkout',
      namespace: 'default',
      trustDomain: 'weft.test',
      defaultAction: 'allow' as const,
      operations: operations(name),
    },
  ],
});

let rig: EnvoyRig;
let checkout: RigSidecar;
let orders: RigSidecar;
let ledger: RigSidecar;
let cert: { cert: string; key: string; ca: string };
const reached: string[] = [];

beforeAll(async () => {
  rig = await createRig({
    trustDomain: 'weft.test',
    specs: { orders: { accessControl: accessControl('/admin') }, ledger: { accessControl: accessControl('/shop.Admin') } },
  });
  checkout = await rig.add({ appId: 'checkout' });
  orders = await rig.add({
    appId: 'orders',
    app: (request, response) => {
      reached.push(request.url ?? '');
      response.end(JSON.stringify({ from: 'orders', url: request.url }));
    },
    service: (request, response) => response.end(JSON.stringify({ from: 'service of orders', url: request.url })),
  });
  ledger = await rig.add({ appId: 'ledger', appProtocol: 'grpc' });
  const { instanceId, appId, address, inboundPort } = orders.instance;
  const hosts = [{ instanceId, appId, address, port: inboundPort }];
  await rig.update({ placements: [{ namespace: 'default', actorType: 'T', generation: 1, hosts }] });
  cert = (await rig.identity?.clientOf({ namespace: 'default', appId: 'checkout' })) as typeof cert;
});
afterAll(() => rig.close());

const policy = accessPolicy(accessControl('/admin'), 'http');
const CALLER = 'spiffe://weft.test/ns/default/checkout';

function check({ status, body }: RawAnswer): void {
  const urls = reached.splice(0);
  for (const url of urls) {
    expect(readings(url).filter(isAdmin), `the app got ${JSON.stringify(url)}`).toEqual([]);
    expect(policy && decide(policy, { caller: CALLER, path: url.replace(/\?.*$/s, ''), verb: 'GET' })).toBe('allow');
  }
  if (urls.length > 0) expect(JSON.parse(body)).toEqual({ from: 'orders', url: urls[0] });
  // Dots may lead out of the prefix that names the app.
  else if (status === 200) expect(JSON.parse(body)).toMatchObject({ from: 'service of checkout' });
  else expect([0, 400, 403, 404, 500]).toContain(status);
}

const basic = `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}`;
const FORMS = {
  'by path': (path: string) => ({ target: under('/v1.0/invoke/orders/method', path) }),
  'by header': (target: string) => ({ target, headers: { 'dapr-app-id': 'orders' } }),
  'by basic auth': (target: string) => ({ target, headers: { authorization: basic } }),
};
const LISTENERS = {
  'the API port': () => ({ host: '127.0.0.1', port: checkout.instance.httpPort }),
  'the loopback socket': () => ({ path: checkout.instance.sockets?.loopback ?? '' }),
};

describe.each(Object.entries(LISTENERS))('on %s', (_, where) => {
  it.each(Object.entries(FORMS))('%s', async (_, form) => {
    for (const [, path] of PATHS) check(await rawRequest(where(), form(path)));
  });
});

it('on the inbound listener, to which a peer sends what it likes', async () => {
  const tls = { ...cert, checkServerIdentity: () => undefined, ALPNProtocols: ['http/1.1'] };
  const where = () => ({ host: '127.0.0.1', port: orders.instance.inboundPort, tls });
  const headers = { 'dapr-callee-app-id': 'orders' };
  for (const [, target] of PATHS) check(await rawRequest(where(), { target, headers }));
  // Anything but an actor's turn is for the app, whatever the header says.
  for (const to of ['app-callback', 'app', 'Actor', 'actor,x'])
    expect((await rawRequest(where(), { target: '/admin', headers: { ...headers, 'x-weft-to': to } })).status).toBe(403);
  expect(reached).toEqual([]);
});

it('by InvokeService', async () => {
  const loopback = createHttpChannel({ origin: 'http://x', socketPath: checkout.instance.sockets?.loopback ?? '' });
  const service = createInvokeService(loopback);
  const signal = new AbortController().signal;
  for (const [, path] of PATHS) {
    const httpExtension = { verb: HTTPExtension_Verb.GET, querystring: '' };
    const message = { method: path.replace(/^\//, ''), data: undefined, contentType: '', httpExtension };
    const body = await service.invoke({ id: 'orders', message, metadata: new Metadata(), signal }).then(
      ({ response }) => Buffer.from(response.data?.value ?? []).toString(),
      (error: Error) => `refused: ${error.message}`,
    );
    check({ status: 403, body });
  }
  await loopback.close();
});

it('as a method of an actor: it never becomes a call of the app', async () => {
  for (const [, path] of PATHS) {
    const target = under('/v1.0/actors/T/1/method', path);
    const { body } = await rawRequest(LISTENERS['the API port'](), { target, method: 'PUT' });
    expect(reached, target).toEqual([]);
    if (body.startsWith('{"from"')) expect((JSON.parse(body) as Seen).from).not.toBe('orders');
  }
});

it('as a proxied gRPC method', async () => {
  const api = `http://127.0.0.1:${checkout.instance.grpcPort}`;
  for (const [, path] of PATHS) {
    const method = path.replaceAll('admin', 'shop.Admin').replaceAll('/y', '/Get');
    if (method.startsWith('http')) continue;
    const { headers, status } = await grpcCall(api, method, { 'dapr-app-id': 'ledger' }).catch(() => ({
      headers: {},
      status: '2',
    }));
    const seen = (headers as Record<string, string>)['x-seen'];
    if (seen === undefined) expect(status, method).not.toBe('0');
    else {
      const got = JSON.parse(seen)[':path'] as string;
      expect(
        readings(got).filter((reading) => /^\/shop\.Admin(\/|$)/.test(reading)),
        got,
      ).toEqual([]);
    }
  }
  const answer = await grpcCall(api, '/shop.Admin/Get', { 'dapr-app-id': 'ledger' });
  expect([answer.status, answer.message]).toEqual(['7', 'access control policy has denied access']);
  expect((await grpcCall(api, '/shop.Orders/Get', { 'dapr-app-id': 'ledger' })).headers['x-from']).toBe(
    ledger.instance.instanceId,
  );
});

it('what is harmless arrives as it was sent', async () => {
  for (const path of TRICKS.harmless ?? []) {
    const { body } = await rawRequest(LISTENERS['the API port'](), FORMS['by path'](path));
    expect(JSON.parse(body)).toEqual({ from: 'orders', url: path });
  }
  reached.length = 0;
});
