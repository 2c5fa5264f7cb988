import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Instance } from '../../../src/model/instance.js';
import { createRig, type EnvoyRig, echo, type RigSidecar } from '../../support/envoy-rig.js';
import { eventually } from '../../support/eventually.js';
import { call, rawCall } from '../../support/http-call.js';
import { freePort } from '../../support/ports.js';

/** Real Envoys under a Resiliency: how often the app sees a call, how long one try may take, and when no more are sent. */

let rig: EnvoyRig;
let caller: RigSidecar;
let seen: string[] = [];
let answer: (response: ServerResponse, attempt: number) => void = (response) => void response.end();
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'web' });
  await rig.add({
    appId: 'orders',
    app: (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push(Buffer.concat(chunks).toString());
        answer(response, seen.length);
      });
    },
  });
});
afterAll(() => rig.close());
beforeEach(() => {
  seen = [];
});

const resiliency = (policies: string, targets: string) =>
  rig.update({
    resources: `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec:
  policies: ${policies}
  targets: ${targets}
`,
  });
const RETRIES = '{ retries: { thrice: { policy: constant, duration: 10ms, maxRetries: 3 } } }';
const url = (path = '/a') => `${caller.api}/v1.0/invoke/orders/method${path}`;
const fail =
  (status: number, times = Number.POSITIVE_INFINITY) =>
  (response: ServerResponse, attempt: number) =>
    void response.writeHead(attempt <= times ? status : 200).end(`answer ${attempt}`);

it('tries again as often as it says while the app fails', async () => {
  await resiliency(RETRIES, '{ apps: { orders: { retry: thrice } } }');
  for (const status of [400, 404, 500, 503]) {
    seen = [];
    answer = fail(status);
    expect(await call(url(), { body: 'hello' })).toMatchObject({ status, body: 'answer 4' });
    expect(seen).toEqual(Array(4).fill('hello'));
  }
  seen = [];
  answer = fail(500, 2);
  expect(await call(url(), { body: 'hello' })).toMatchObject({ status: 200, body: 'answer 3' });
  for (const status of [200, 204, 302]) {
    seen = [];
    answer = fail(status);
    expect((await call(url())).status).toBe(status);
    expect(seen).toHaveLength(1);
  }
});

it('tries again when the app breaks the connection', async () => {
  await resiliency(RETRIES, '{ apps: { orders: { retry: thrice } } }');
  answer = (response, attempt) => (attempt < 3 ? void response.socket?.destroy() : void response.end('at last'));
  expect(await call(url(), { body: 'x' })).toMatchObject({ status: 200, body: 'at last' });
  expect(seen).toHaveLength(3);
});

it('tries only the statuses again that match', async () => {
  const policies =
    '{ retries: { some: { policy: constant, duration: 10ms, maxRetries: 2, matching: { httpStatusCodes: "429,500-502" } } } }';
  await resiliency(policies, '{ apps: { orders: { retry: some } } }');
  for (const [status, times] of [
    [429, 3],
    [502, 3],
    [503, 1],
    [404, 1],
  ] as const) {
    seen = [];
    answer = fail(status);
    await call(url());
    expect([status, seen.length]).toEqual([status, times]);
  }
});

it('does not try an app’s failure again without a policy, nor with maxRetries 0', async () => {
  answer = fail(503);
  await rig.update({ resources: '' });
  await call(url());
  expect(seen).toHaveLength(1);
  await resiliency('{ retries: { none: { maxRetries: 0 } } }', '{ apps: { orders: { retry: none } } }');
  await call(url());
  expect(seen).toHaveLength(2);
});

it('never sends a streamed body twice', async () => {
  await resiliency(RETRIES, '{ apps: { orders: { retry: thrice } } }');
  answer = fail(503);
  const chunked = (method: string) =>
    rawCall(
      caller.instance.httpPort,
      `${method} /v1.0/invoke/orders/method/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
  for (const method of ['POST', 'GET', 'DELETE']) {
    seen = [];
    expect(await chunked(method)).toMatch(/^HTTP\/1\.1 503 /);
    expect(seen).toEqual(['abc']);
  }
  // Without a body there is nothing to stream.
  seen = [];
  await rawCall(caller.instance.httpPort, 'POST /v1.0/invoke/orders/method/a HTTP/1.1\r\nhost: x\r\n\r\n');
  expect(seen).toEqual(Array(4).fill(''));
});

it('gives one try its time, and the next one its own', async () => {
  const policies = '{ timeouts: { short: 200ms }, retries: { once: { policy: constant, duration: 10ms, maxRetries: 1 } } }';
  await resiliency(policies, '{ apps: { orders: { timeout: short } } }');
  answer = (response, attempt) => void (attempt === 1 || response.end('quick'));
  const before = performance.now();
  expect(await call(url())).toMatchObject({
    status: 500,
    body: expect.stringContaining('"message":"failed to invoke, id: orders, err: upstream request timeout"'),
  });
  expect(performance.now() - before).toBeGreaterThan(150);
  seen = [];
  await resiliency(policies, '{ apps: { orders: { timeout: short, retry: once } } }');
  expect(await call(url())).toMatchObject({ status: 200, body: 'quick' });
  expect(seen).toHaveLength(2);
});

it('does not cut an answer that has begun', async () => {
  await resiliency('{ timeouts: { short: 100ms } }', '{ apps: { orders: { timeout: short } } }');
  answer = (response) => {
    response.write('begun, ');
    setTimeout(() => response.end('ended'), 400);
  };
  expect(await call(url())).toMatchObject({ status: 200, body: 'begun, ended' });
});

it('takes the defaults for apps that no target names, the narrower ones first', async () => {
  const policies = `{ retries: {
    DefaultRetryPolicy: { policy: constant, duration: 10ms, maxRetries: 4 },
    DefaultAppRetryPolicy: { policy: constant, duration: 10ms, maxRetries: 2 } } }`;
  answer = fail(500);
  await resiliency(policies, '{}');
  await call(url());
  expect(seen).toHaveLength(3);
  seen = [];
  await resiliency(policies, '{ apps: { orders: {} } }');
  await call(url());
  expect(seen).toHaveLength(1);
});

it('opens a breaker after failures in a row, and closes it after its time', async () => {
  const policies = '{ circuitBreakers: { cautious: { trip: consecutiveFailures > 2, timeout: 1s } } }';
  await resiliency(policies, '{ apps: { orders: { circuitBreaker: cautious } } }');
  answer = fail(404);
  for (let i = 0; i < 3; i += 1) expect((await call(url())).status).toBe(404);
  await eventually(async () =>
    expect(await call(url())).toMatchObject({ status: 500, body: expect.stringContaining('no healthy upstream') }),
  );
  const reached = seen.length;
  expect(reached).toBeLessThanOrEqual(4);
  for (let i = 0; i < 5; i += 1) expect((await call(url())).status).toBe(500);
  expect(seen).toHaveLength(reached);
  answer = fail(200);
  await eventually(async () => expect((await call(url())).status).toBe(200));
  // A success ends the row.
  for (const status of [500, 500, 200, 500, 500]) {
    answer = fail(status);
    expect((await call(url())).status).toBe(status);
  }
});

it('opens a breaker on the share of failures of an interval, and only for the app that it is about', async () => {
  await rig.add({ appId: 'pay', app: echo('pay') });
  const policies = `{ circuitBreakers: { share: { trip: "requests >= 8 && totalFailures * 100 / requests >= 50", interval: 1s, timeout: 1s } } }`;
  await resiliency(policies, '{ apps: { orders: { circuitBreaker: share }, pay: { circuitBreaker: share } } }');
  const isOpen = async () => (await call(url())).body.includes('no healthy upstream');
  // One of four fails: that is less than the half.
  let count = 0;
  answer = (response) => void response.writeHead(count++ % 4 === 0 ? 404 : 200).end();
  const end = performance.now() + 2500;
  while (performance.now() < end) expect((await call(url())).status).not.toBe(500);
  // Every second one, and never two in a row.
  answer = (response) => void response.writeHead(count++ % 2 === 0 ? 404 : 200).end();
  await eventually(async () => expect(await isOpen()).toBe(true));
  expect((await call(`${caller.api}/v1.0/invoke/pay/method/a`)).status).toBe(200);
  answer = fail(200);
  await eventually(async () => expect(await isOpen()).toBe(false));
});

it('counts gRPC failures for the breaker and retries', async () => {
  const policies =
    '{ retries: { twice: { policy: constant, duration: 10ms, maxRetries: 2, matching: { gRPCStatusCodes: "14" } } } }';
  await resiliency(policies, '{ apps: { orders: { retry: twice } } }');
  // A gRPC answer that ends before its first message carries its status in the headers.
  const trailersOnly = (code: number) => (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': code }).end();
  for (const [code, times] of [
    [14, 3],
    [13, 1],
  ] as const) {
    seen = [];
    answer = trailersOnly(code);
    await call(`${caller.api}/shop.v1.Orders/Get`, {
      body: 'x',
      headers: { 'dapr-app-id': 'orders', 'content-type': 'application/grpc', 'content-length': 1 },
    });
    expect([code, seen.length]).toEqual([code, times]);
  }
  seen = [];
  answer = trailersOnly(14);
  await call(`${caller.api}/shop.v1.Orders/Get`, {
    body: 'x',
    headers: { 'dapr-app-id': 'orders', 'content-type': 'application/grpc', 'dapr-stream': 'true', 'content-length': 1 },
  });
  expect(seen).toHaveLength(1);
});

it('tries an actor’s call again, and a rule’s own retry and timeout count before the Resiliency’s', async () => {
  await rig.add({
    appId: 'game',
    service: (request, response) => {
      request.resume();
      seen.push(request.url ?? '');
      answer(response, seen.length);
    },
  });
  const host = { instanceId: 'game', appId: 'game', address: '127.0.0.1', port: 0 };
  await rig.update({
    instances: (all) => {
      host.port = all.find(({ appId }) => appId === 'game')?.inboundPort ?? 0;
      return all;
    },
    placements: ['Cart', 'Slow'].map((actorType) => ({ namespace: 'default', actorType, generation: 1, hosts: [host] })),
    resources: `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec:
  policies: { retries: { once: { policy: constant, duration: 10ms, maxRetries: 1 }, minutes: { duration: 60s }, DefaultAppRetryPolicy: { maxRetries: 9 } } }
  targets: { actors: { Cart: { retry: once }, Slow: { retry: minutes } } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec:
  parentRefs: [{ kind: Service, group: "", name: orders }]
  rules: [{ retry: { attempts: 2, codes: [503], backoff: 10ms }, timeouts: { request: 300ms } }]
`,
  });
  answer = fail(500, 1);
  expect((await call(`${caller.api}/v1.0/actors/Cart/1/method/add`, { body: 'x' })).status).toBe(200);
  expect(seen).toHaveLength(2);
  // Who asks the wrong host does not wait as long as after a failure.
  seen = [];
  answer = (response, attempt) =>
    void (attempt === 1 ? response.writeHead(503, { 'x-weft-actor-moved': '1' }).end() : response.end('found'));
  const before = performance.now();
  expect((await call(`${caller.api}/v1.0/actors/Slow/1/method/add`, { body: 'x' })).body).toBe('found');
  expect(performance.now() - before).toBeLessThan(10_000);
  for (const [status, times] of [
    [503, 3],
    [500, 1],
  ] as const) {
    seen = [];
    answer = fail(status);
    await call(url());
    expect([status, seen.length]).toEqual([status, times]);
  }
  answer = () => {};
  expect((await call(url())).body).toContain('upstream request timeout');
});

it('lets others answer while one instance is ejected, and limits connections', async () => {
  await rig.add({ appId: 'orders', instanceId: 'well', app: echo('well') });
  await rig.update({
    resources: `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: { name: orders }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  circuitBreaker: { maxConnections: 1, maxPendingRequests: 1 }
  healthCheck: { passive: { consecutive5XxErrors: 1, baseEjectionTime: 30s, maxEjectionPercent: 50 } }
`,
  });
  answer = fail(500);
  for (let i = 0; i < 4; i += 1) await call(url());
  for (let i = 0; i < 6; i += 1)
    expect(await call(url())).toMatchObject({ status: 200, body: expect.stringContaining('"from":"well"') });
  const many = await Promise.all(Array.from({ length: 40 }, () => call(url())));
  const overflow = many.filter(({ body }) => body.includes('overflow') || body.includes('reset reason'));
  expect(many.every(({ status }) => status === 200 || status === 500)).toBe(true);
  expect(overflow.length).toBeGreaterThan(0);
});

it('makes Dapr’s built-in retries as a policy of their name says, of calls and of actors, and no longer than it says', async () => {
  const port = await freePort();
  const dead = { ...caller.instance, appId: 'gone', instanceId: 'dead', inboundPort: port };
  const hosts = [{ instanceId: 'dead', appId: 'gone', address: '127.0.0.1', port }];
  const place = (generation: number) => ({
    instances: (all: readonly Instance[]) => [...all.filter(({ appId }) => appId !== 'gone'), dead],
    placements: [{ namespace: 'default', actorType: 'Gone', generation, hosts }],
  });
  const retries = async (cluster: string) => {
    const { body } = await caller.envoy.admin.call('GET', `/stats?filter=${encodeURIComponent(`${cluster}.upstream_rq_retry$`)}`);
    return Number(/: (\d+)/.exec(body)?.[1] ?? 0);
  };
  const made = async (path: string, cluster: string) => {
    const before = await retries(cluster);
    expect((await call(`${caller.api}${path}`, { method: 'PUT' })).status).toBe(500);
    return (await retries(cluster)) - before;
  };
  const both = async () => [
    await made('/v1.0/invoke/gone/method/a', 'app\\|default\\|gone'),
    await made('/v1.0/actors/Gone/1/method/a', 'actor\\|default\\|Gone'),
  ];
  await rig.update({ ...place(1), resources: '' });
  expect(await both()).toEqual([3, 8]);
  const policies =
    '{ timeouts: { long: 30s }, retries: { DaprBuiltInServiceRetries: { duration: 5ms, maxRetries: 6 }, DaprBuiltInActorRetries: { duration: 5ms, maxRetries: 11 } } }';
  await resiliency(policies, '{}');
  expect(await both()).toEqual([6, 11]);
  // A target with a timeout alone is no other case; one with a retry is.
  await resiliency(policies, '{ apps: { gone: { timeout: long } } }');
  expect(await both()).toEqual([6, 11]);
  await rig.update({ resources: '' });
  expect(await both()).toEqual([3, 8]);
});
