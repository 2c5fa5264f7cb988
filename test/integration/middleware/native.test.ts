import { generateKeyPairSync } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.js';

/** Real Envoys: the middleware that Envoy has a filter for, on the API's ports and before the app. */

let rig: EnvoyRig;
let caller: RigSidecar;
let issuer: TokenIssuer;

const component = (name: string, type: string, metadata: Record<string, unknown> = {}) =>
  JSON.stringify({
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Component',
    metadata: { name },
    spec: { type, version: 'v1', metadata: Object.entries(metadata).map(([key, value]) => ({ name: key, value })) },
  });
const handlers = (...all: string[]) => ({
  handlers: all.map((it) => {
    const [name, type = `middleware.http.${name}`] = it.split('=');
    return { name, type };
  }),
});
const limit = (perSecond: number) => component('ratelimit', 'middleware.http.ratelimit', { maxRequestsPerSecond: perSecond });

beforeAll(async () => {
  issuer = await startTokenIssuer('my-audience');
  rig = await createRig();
  caller = await rig.add({ appId: 'checkout' });
  await rig.add({ appId: 'orders' });
  await rig.update({});
});
afterAll(async () => {
  await rig.close();
  await issuer.close();
});

const get = (path: string, headers: Record<string, string> = {}) => call(caller.api + path, { headers });
const viaDoor = (path: string, headers: Record<string, string> = {}) =>
  call(`http://x${path}`, { headers, socketPath: caller.instance.sockets?.door ?? '' });
/** Sends `count` requests one after the other. @returns how often each status came */
async function statuses(count: number, send: () => Promise<{ status: number }>): Promise<Record<number, number>> {
  const found: Record<number, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { status } = await send();
    found[status] = (found[status] ?? 0) + 1;
  }
  return found;
}
const pipeline = async (resources: readonly string[], specs: Record<string, unknown>) =>
  rig.update({ resources: resources.join('\n---\n'), specs });

describe('ratelimit', () => {
  const path = '/v1.0/invoke/orders/method/x';

  it('answers 429 beyond the limit, to calls by name and to blocks alike, and never to health checks', async () => {
    await pipeline([limit(0.02)], { checkout: { httpPipeline: handlers('ratelimit') } });
    expect(await statuses(5, () => get(path))).toEqual({ 200: 1, 429: 4 });
    const { status, body } = await get('/v1.0/state/store/key');
    expect([status, body]).toEqual([429, 'You have reached maximum request limit.']);
    expect(await statuses(5, () => get('/v1.0/healthz'))).toEqual({ 200: 5 });
    expect((await call(`${caller.api}/v1.0/healthz`, { method: 'POST' })).status).toBe(429);
    expect((await get(`${path}?/v1.0/healthz`)).status).toBe(429);
  });

  it('counts each client address by itself', async () => {
    await pipeline([limit(0.01)], { checkout: { httpPipeline: handlers('ratelimit') } });
    for (const client of ['10.1.1.1', '10.1.1.2', '10.1.1.3'])
      expect(await statuses(3, () => get(path, { 'x-forwarded-for': client }))).toEqual({ 200: 1, 429: 2 });
  });

  it('counts all that comes through the filter service’s port together', async () => {
    await pipeline([limit(0.03)], { checkout: { httpPipeline: handlers('ratelimit') } });
    expect(await statuses(4, () => viaDoor(path))).toEqual({ 200: 1, 429: 3 });
  });

  it('before the app: holds for calls from other sidecars, and leaves the API alone', async () => {
    await pipeline([limit(0.04)], { orders: { appHttpPipeline: handlers('ratelimit') } });
    // The callers' open connections get the new filters when the old ones have drained.
    await eventually(async () => expect(await statuses(3, () => get(path))).toEqual({ 429: 3 }));
    expect((await get('/v1.0/state/store/key')).status).toBe(200);
    await pipeline([], {});
    await eventually(async () => expect((await get(path)).status).toBe(200));
  });
});

describe('bearer', () => {
  const path = '/v1.0/invoke/orders/method/x';
  const bearer = (metadata: Record<string, unknown>) => component('bearer', 'middleware.http.bearer', metadata);
  const withToken = (token: string) => get(path, { authorization: `Bearer ${token}` });

  it('lets only tokens of the issuer, for the audience and in their time pass', async () => {
    const { url } = issuer;
    await pipeline([bearer({ issuer: url, audience: 'my-audience', jwksURL: `${url}/keys` })], {
      checkout: { httpPipeline: handlers('bearer') },
    });
    const token = issuer.token();
    const good = await withToken(token);
    expect([good.status, JSON.parse(good.body).headers.authorization]).toEqual([200, `Bearer ${token}`]);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const bad = {
      'of another key': issuer.token({}, privateKey),
      'for others': issuer.token({ aud: 'others' }),
      'of another issuer': issuer.token({ iss: 'http://evil.example' }),
      expired: issuer.token({ exp: 1 }),
      'not yet': issuer.token({ nbf: Math.floor(Date.now() / 1000) + 3600 }),
      nonsense: 'nonsense',
    };
    for (const [about, token] of Object.entries(bad)) {
      const { status, body } = await withToken(token);
      expect([about, status, body]).toEqual([about, 401, 'Unauthorized']);
    }
    expect((await get(path)).status).toBe(401);
    expect((await get(`${path}?access_token=${issuer.token()}`)).status).toBe(401);
    expect((await get('/v1.0/state/store/key')).status).toBe(401);
    expect(
      (await get('/x', { 'dapr-app-id': 'orders', 'content-type': 'application/grpc' })).headers['grpc-status'],
    ).toBeDefined();
    expect((await viaDoor(path)).status).toBe(401);
    expect((await get('/v1.0/healthz')).status).toBe(200);
  });

  it('lets nothing pass while the keys cannot be had', async () => {
    await pipeline([bearer({ issuer: issuer.url, audience: 'my-audience', jwksURL: 'http://127.0.0.1:1/keys' })], {
      checkout: { httpPipeline: handlers('bearer') },
    });
    await eventually(async () => expect((await withToken(issuer.token())).status).toBe(401));
  });
});

describe('routerchecker', () => {
  it('refuses paths that the rule is not found in', async () => {
    const rule = component('routerchecker', 'middleware.http.routerchecker', { rule: '^[A-Za-z0-9/._-]+$' });
    await pipeline([rule], { checkout: { httpPipeline: handlers('routerchecker') } });
    expect((await get('/v1.0/invoke/orders/method/fine')).status).toBe(200);
    for (const path of ['/v1.0/invoke/orders/method/a?b', '/v1.0/invoke/orders/method/%20', '/v1.0/state/store/a|b']) {
      const { status, body } = await get(path);
      expect([status, body]).toEqual([400, 'invalid router']);
    }
  });
});

describe('compressor', () => {
  it('answers with gzip to those who take it', async () => {
    const zip = component('compressor', 'middleware.http.compressor', { minContentLength: 10, contentTypes: 'application/json' });
    await pipeline([zip], { checkout: { httpPipeline: handlers('compressor') } });
    const path = '/v1.0/invoke/orders/method/x';
    const response = await eventually(async () => {
      const answer = await fetchRaw(caller.api + path);
      expect(answer.encoding).toBe('gzip');
      return answer;
    });
    expect(JSON.parse(gunzipSync(response.bytes).toString()).from).toBe('orders');
    expect((await get(path)).headers['content-encoding']).toBeUndefined();
  });
});

async function fetchRaw(url: string): Promise<{ encoding: string | undefined; bytes: Buffer }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    request(url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ encoding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });
}

describe('a pipeline', () => {
  const token = () =>
    component('bearer', 'middleware.http.bearer', { issuer: issuer.url, audience: 'a', jwksURL: `${issuer.url}/keys` });
  const path = '/v1.0/invoke/orders/method/x';

  it('applies its handlers in their order', async () => {
    const rule = component('routerchecker', 'middleware.http.routerchecker', { rule: '^/nothing$' });
    await pipeline([token(), rule], { checkout: { httpPipeline: handlers('bearer', 'routerchecker') } });
    await eventually(async () => expect((await get(path)).status).toBe(401));
    await pipeline([token(), rule], { checkout: { httpPipeline: handlers('routerchecker', 'bearer') } });
    await eventually(async () => expect((await get(path)).status).toBe(400));
  });

  it('lets nothing pass for a handler without a component, or of another type; without it again everything', async () => {
    for (const handler of ['nobody=middleware.http.bearer', 'ratelimit=middleware.http.bearer', 'x=middleware.http.wasm']) {
      await pipeline([limit(100)], { checkout: { httpPipeline: handlers(handler) } });
      await eventually(async () => {
        const { status, body } = await get(path);
        expect([status, JSON.parse(body).errorCode]).toEqual([503, 'ERR_MIDDLEWARE']);
      });
      expect((await get('/v1.0/state/store/key')).status).toBe(503);
      expect((await get('/v1.0/healthz')).status).toBe(200);
    }
    await pipeline([], {});
    await eventually(async () => expect((await get(path)).status).toBe(200));
  });

  it('keeps a handler as it was when its component goes', async () => {
    await pipeline([token()], { checkout: { httpPipeline: handlers('bearer') } });
    await eventually(async () => expect((await get(path)).status).toBe(401));
    await pipeline([], { checkout: { httpPipeline: handlers('bearer') } });
    expect((await get(path)).status).toBe(401);
  });

  it('serves without a handler that guards nothing', async () => {
    await pipeline([], { checkout: { httpPipeline: handlers('compressor') } });
    await eventually(async () => expect((await get(path)).status).toBe(200));
  });

  it('leaves no filter when it goes; who never had one has no listener for it either', async () => {
    await pipeline([limit(100)], {});
    const listeners = async ({ envoy }: RigSidecar) =>
      (await envoy.admin.call('GET', '/config_dump?resource=dynamic_listeners')).body;
    await eventually(async () => expect(await listeners(caller)).not.toContain('weft.middleware'));
    const other = await rig.add({ appId: 'stock' });
    await eventually(async () => expect(await listeners(other)).toContain('loop.sock'));
    expect(await listeners(other)).not.toMatch(/weft\.middleware|door\.sock/);
  });
});
