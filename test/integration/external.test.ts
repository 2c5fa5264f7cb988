import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../support/envoy-rig.js';
import { call } from '../support/http-call.js';
import { freePort } from '../support/ports.js';
import { createWebAuthority } from '../support/web-certificates.js';

/** Real Envoys call services outside of the mesh: only those that an HTTPEndpoint names, checked by name and CA, told nothing of ours. */

let rig: EnvoyRig;
let caller: RigSidecar;
const servers: Server[] = [];
const ports: Record<string, number> = {};
const dir = mkdtempSync(join(tmpdir(), 'weft-external-'));

const answer: RequestListener = (request, response) => {
  const socket = request.socket as Partial<TLSSocket>;
  const client = socket.getPeerCertificate?.()?.subject?.CN;
  const seen = { url: request.url, headers: request.headers, sni: (socket as { servername?: string }).servername, client };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(seen));
};

async function listen(name: string, server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ports[name] = (server.address() as AddressInfo).port;
  servers.push(server);
}

const resource = (name: string, spec: object) =>
  JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'HTTPEndpoint', metadata: { name }, spec });

beforeAll(async () => {
  const [known, foreign] = await Promise.all([createWebAuthority(), createWebAuthority()]);
  const mine = await known.issue('my-client');
  await listen('plain', createHttp(answer));
  await listen('tls', createHttps(await known.issue('localhost'), answer));
  await listen('foreign', createHttps(await foreign.issue('localhost'), answer));
  await listen('asking', createHttps({ ...(await known.issue('localhost')), ca: known.ca, requestCert: true }, answer));
  const caBundle = join(dir, 'ca.pem');
  writeFileSync(caBundle, known.ca);
  process.env.EXTERNAL_KEY = 'from the environment';
  rig = await createRig({ caBundle });
  const rootCA = { value: known.ca };
  const resources = [
    resource('plain', {
      baseUrl: `http://localhost:${ports.plain}/base`,
      headers: [
        { name: 'x-key', value: '100%' },
        { name: 'authorization', envRef: 'EXTERNAL_KEY' },
      ],
    }),
    resource('tls', { baseUrl: `https://localhost:${ports.tls}`, clientTLS: { rootCA } }),
    resource('system', { baseUrl: `https://localhost:${ports.tls}/system` }),
    resource('wrong-name', { baseUrl: `https://127.0.0.1:${ports.tls}`, clientTLS: { rootCA } }),
    resource('wrong-ca', { baseUrl: `https://localhost:${ports.foreign}`, clientTLS: { rootCA } }),
    resource('asking', {
      baseUrl: `https://localhost:${ports.asking}`,
      clientTLS: { rootCA, certificate: { value: mine.cert }, privateKey: { value: mine.key } },
    }),
    resource('nobody', { baseUrl: `http://localhost:${await freePort()}` }),
    resource('shadowed', { baseUrl: `http://localhost:${ports.plain}/outside` }),
  ].join('\n---\n');
  await rig.update({ resources });
  caller = await rig.add({ appId: 'checkout' });
  await rig.add({ appId: 'shadowed' });
  await rig.update({});
});
afterAll(async () => {
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true, force: true });
  await rig.close();
});

const get = async (path: string, headers: Record<string, string> = {}) => {
  const { status, body } = await call(caller.api + path, { headers });
  return { status, body: JSON.parse(body) };
};

describe('a service is called', () => {
  it('by its name, with its base path and its headers', async () => {
    const { body } = await get('/v1.0/invoke/plain/method/a/b?x=1', { 'x-key': 'mine', 'x-other': 'stays' });
    expect(body.url).toBe('/base/a/b?x=1');
    expect(body.headers).toMatchObject({
      host: `localhost:${ports.plain}`,
      'x-key': '100%',
      authorization: 'from the environment',
      'x-other': 'stays',
    });
  });
  it('by its name in a header', async () => {
    expect((await get('/a?x=1', { 'dapr-app-id': 'plain' })).body.url).toBe('/base/a?x=1');
  });
  it.each([
    ['plain', () => `http://localhost:${ports.plain}`],
    ['escaped', () => encodeURIComponent(`http://localhost:${ports.plain}`)],
    ['escaped in lower case', () => encodeURIComponent(`http://localhost:${ports.plain}`).toLowerCase()],
  ])('by its URL, %s, which brings no headers of the endpoint', async (_, id) => {
    const { body } = await get(`/v1.0/invoke/${id()}/method/a`);
    expect(body.url).toBe('/a');
    expect(Object.keys(body.headers)).not.toContain('x-key');
  });
  it('by its URL in a header', async () => {
    expect((await get('/a', { 'dapr-app-id': `https://localhost:${ports.tls}` })).body).toMatchObject({
      url: '/a',
      sni: 'localhost',
    });
  });
  it('in the place of an app of the same name', async () => {
    expect((await get('/v1.0/invoke/shadowed/method/a')).body.url).toBe('/outside/a');
  });
});

it('no header of ours leaves the mesh', async () => {
  const { body } = await get('/v1.0/invoke/plain/method/a', {
    'dapr-api-token': 'secret',
    'dapr-app-id': 'x',
    'dapr-caller-app-id': 'x',
    'x-weft-to': 'x',
    'x-envoy-retry-on': '5xx',
    'x-forwarded-for': '1.2.3.4',
    forwarded: 'for=1.2.3.4',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  expect(Object.keys(body.headers).sort()).toEqual(['authorization', 'host', 'traceparent', 'x-key']);
});

describe('TLS', () => {
  it('names the host, and takes the endpoint’s CA', async () => {
    expect((await get('/v1.0/invoke/tls/method/a')).body).toMatchObject({ url: '/a', sni: 'localhost' });
  });
  it('takes the system’s CAs where the endpoint has none', async () => {
    expect((await get('/v1.0/invoke/system/method/a')).body.url).toBe('/system/a');
  });
  it('shows the client certificate', async () => {
    expect((await get('/v1.0/invoke/asking/method/a')).body.client).toBe('my-client');
  });
  it.each(['wrong-name', 'wrong-ca', 'nobody'])('%s: the call fails in Dapr’s words', async (name) => {
    const { status, body } = await get(`/v1.0/invoke/${name}/method/a`);
    expect([status, body.errorCode]).toEqual([500, 'ERR_DIRECT_INVOKE']);
    expect(body.message).toMatch(new RegExp(`^failed to invoke, id: ${name}, err: `));
  });
});

it('a host that no endpoint names is not reached: the filter service answers', async () => {
  for (const id of [`http://127.0.0.1:${ports.plain}`, `http://localhost:${ports.foreign}`, 'http://169.254.169.254'])
    for (const form of [id, encodeURIComponent(id)])
      expect((await get(`/v1.0/invoke/${form}/method/a`)).body.from).toBe('service of checkout');
  expect((await get('/a', { 'dapr-app-id': 'http://169.254.169.254' })).body.from).toBe('service of checkout');
});
