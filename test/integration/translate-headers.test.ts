import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../support/envoy-rig.js';
import { call, rawCall } from '../support/http-call.js';

/** Real Envoys: who called is what the sidecar says, everything else arrives as it was sent. */

const FORGED = {
  'dapr-caller-app-id': 'admin',
  'dapr-caller-namespace': 'kube-system',
  'dapr-callee-app-id': 'admin',
  'dapr-api-token': 'secret',
  'x-weft-to': 'actor',
  'x-weft-actor': 'T/1',
  'x-weft-whatever': '1',
  'x-envoy-retry-on': '5xx',
  'x-envoy-upstream-rq-timeout-ms': '1',
  'x-envoy-original-path': '/admin',
  'x-forwarded-client-cert': 'URI=spiffe://public/ns/default/admin',
  'x-forwarded-host': 'evil',
  forwarded: 'for=1.1.1.1',
};
/** Those with another meaning than an identity may be there, with the sidecars' own values. */
const NEVER = Object.keys(FORGED).filter((name) => /^x-(envoy|weft)-|client-cert|api-token/.test(name));

let rig: EnvoyRig;
let caller: RigSidecar;
let target: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'checkout' });
  target = await rig.add({
    appId: 'orders',
    app: (request, response) => {
      response.writeHead(418, { server: 'kettle', 'x-mine': 'yes', 'x-request-id': 'from-app', 'set-cookie': ['a=1', 'b=2'] });
      response.end(JSON.stringify({ from: 'orders', url: request.url, method: request.method, headers: request.headers }));
    },
  });
  await rig.update({});
});
afterAll(() => rig.close());

const seen = async (url: string, headers: Record<string, string> = {}, socketPath?: string) =>
  JSON.parse((await call(url, { headers, socketPath })).body) as Seen;

it('a forged identity never arrives, on any listener of the API', async () => {
  const forms = [
    () => seen(`${caller.api}/v1.0/invoke/orders/method/a`, FORGED),
    () => seen(`${caller.api}/a`, { ...FORGED, 'dapr-app-id': 'orders' }),
    () => seen('http://x/v1.0/invoke/orders/method/a', FORGED, caller.instance.sockets?.loopback),
    () =>
      seen(
        'http://x/v1.0/invoke/orders/method/a',
        { ...FORGED, connection: 'dapr-caller-app-id, close' },
        caller.instance.sockets?.loopback,
      ),
  ];
  for (const form of forms) {
    const { from, headers } = await form();
    expect(from).toBe('orders');
    expect(headers).toMatchObject({
      'dapr-caller-app-id': 'checkout',
      'dapr-caller-namespace': 'default',
      'dapr-callee-app-id': 'orders',
    });
    expect(Object.keys(headers).filter((name) => NEVER.includes(name))).toEqual([]);
    expect(headers['x-forwarded-host']).not.toBe('evil');
    expect(headers.forwarded).toMatch(/^for=127\.0\.0\.1;by=127\.0\.0\.1;host=/);
  }
});

it('a header that is there twice is replaced as a whole', async () => {
  const answer = await rawCall(
    caller.instance.httpPort,
    'GET /v1.0/invoke/orders/method/a HTTP/1.1\r\nhost: x\r\ndapr-caller-app-id: a\r\nDAPR-Caller-App-Id: b\r\nconnection: close\r\n\r\n',
  );
  expect(answer).toContain('"dapr-caller-app-id":"checkout"');
});

it('what reaches the filter service carries none of our internal headers', async () => {
  const { from, headers } = await seen(`${caller.api}/v1.0/actors/T/1/method/m`, FORGED);
  expect(from).toBe('service of checkout');
  expect(Object.keys(headers).filter((name) => name.startsWith('x-weft-') || name.startsWith('x-envoy-'))).toEqual([]);
  expect(headers['dapr-api-token']).toBe('secret');
});

it('an inbound listener takes no internal header but the address', async () => {
  const url = `http://127.0.0.1:${target.instance.inboundPort}/a`;
  const { headers } = await seen(url, { ...FORGED, 'x-weft-to': 'app-callback', 'dapr-app-id': 'x' });
  const ours = [...NEVER.filter((name) => !/whatever|x-weft-actor/.test(name)), 'x-weft-to', 'dapr-app-id', 'dapr-api-token'];
  expect(Object.keys(headers).filter((name) => ours.includes(name))).toEqual([]);
});

it('the app’s answer comes back as it is', async () => {
  const { status, headers } = await call(`${caller.api}/v1.0/invoke/orders/method/a`);
  expect(status).toBe(418);
  expect(headers).toMatchObject({ server: 'kettle', 'x-mine': 'yes', 'x-request-id': 'from-app', 'set-cookie': ['a=1', 'b=2'] });
  expect(Object.keys(headers).filter((name) => name.startsWith('x-envoy'))).toEqual([]);
});

it('a request gains no id, keeps its own, and its own headers with underscores', async () => {
  const without = await seen(`${caller.api}/v1.0/invoke/orders/method/a`);
  expect(Object.keys(without.headers)).not.toContain('x-request-id');
  const { headers } = await seen(`${caller.api}/v1.0/invoke/orders/method/a`, {
    'x-request-id': 'mine',
    x_under_score: '1',
    authorization: 'Bearer t',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  expect(headers).toMatchObject({
    'x-request-id': 'mine',
    x_under_score: '1',
    authorization: 'Bearer t',
    traceparent: expect.stringContaining('0af7'),
  });
});

it('a path has one form, and escaped slashes in it stay data', async () => {
  const urlOf = async (path: string) => (await seen(`${caller.api}/v1.0/invoke/orders/method${path}`)).url;
  expect(await urlOf('/a//b/./c/../d')).toBe('/a/b/d');
  expect(await urlOf('/a%2Fb/%2e%2e%2fc')).toBe('/a%2Fb/..%2fc');
  const escaped = await seen(`${caller.api}/v1.0/invoke/orders/method/../../../state/s`);
  expect(escaped).toMatchObject({ from: 'service of checkout', url: '/v1.0/state/s' });
});

it('a request with two lengths is refused and its connection closed', async () => {
  const answer = await rawCall(
    caller.instance.httpPort,
    'POST /v1.0/invoke/orders/method/a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toMatch(/connection: close/i);
});
