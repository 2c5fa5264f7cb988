import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { type CallOptions, call, grpcCall } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { ACCESS_TOKEN, CLIENT_SECRET, startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.js';

/** Real processes, both doors: a pipeline holds for every part of the HTTP API, whoever would have answered it. */

const EXAMPLE = resolve(import.meta.dirname, '../../../examples/middleware/components/add-header.ts');

let mesh: Mesh;
let issuer: TokenIssuer;
let files: { readonly components: string; readonly config: string };
const seen: { readonly url: string; readonly headers: Record<string, unknown>; readonly body: string }[] = [];
const sidecars = new Map<string, SidecarProcess>();

const component = (name: string, type: string, metadata: Record<string, unknown> = {}, scopes: readonly string[] = []) => ({
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Component',
  metadata: { name },
  spec: {
    type: `middleware.http.${type}`,
    version: 'v1',
    metadata: Object.entries(metadata).map(([key, value]) =>
      typeof value === 'object' ? { name: key, ...value } : { name: key, value },
    ),
  },
  scopes,
  auth: { secretStore: 'env' },
});
const handlers = (...all: string[]) => ({
  handlers: all.map((it) => {
    const [name, type = name] = it.split('=');
    return { name, type: `middleware.http.${type}` };
  }),
});
const secrets = {
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'env' },
  spec: { type: 'secretstores.local.env', version: 'v1' },
};
const store = {
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'store' },
  spec: { type: 'state.in-memory', version: 'v1' },
};

/** Replaces what is configured. */
function configure(components: readonly object[], spec: object): void {
  writeFileSync(files.components, [store, secrets, ...components].map((it) => JSON.stringify(it)).join('\n---\n'));
  writeFileSync(
    files.config,
    JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'c' }, spec }),
  );
}

beforeAll(async () => {
  issuer = await startTokenIssuer('my-audience');
  mesh = await createMesh();
  const resources = join(mesh.world.home, 'resources');
  mkdirSync(resources);
  files = { components: join(resources, 'all.yaml'), config: join(mesh.world.home, 'config.yaml') };
  const bearer = component('bearer', 'bearer', { issuer: issuer.url, audience: 'my-audience' });
  configure([bearer], { httpPipeline: handlers('bearer') });
  const appPort = await mesh.app(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ url: request.url ?? '', headers: request.headers, body });
    response.end('hello');
  });
  const other = await mesh.sidecar({ appId: 'other', appPort });
  const args = ['--resources-path', resources, '--config', files.config];
  const env = { OAUTH_SECRET: CLIENT_SECRET };
  for (const door of ['envoy', 'service'] as const)
    sidecars.set(door, await mesh.sidecar({ appId: `orders-${door}`, appPort, door, args, env }));
  sidecars.set('seen', await mesh.sidecar({ appId: 'orders-seen', appPort, args: [...args, '--allowed-origins', '*'], env }));
  await Promise.all([other, ...sidecars.values()].map((sidecar) => sidecar.ready()));
});
afterAll(async () => {
  await mesh.close();
  await issuer.close();
});

const problems = async () =>
  JSON.parse((await call(`http://127.0.0.1:${Number(mesh.world.controlPlane.split(':')[1]) + 1}/v1/problems`)).body).problems;

describe.each(['envoy', 'service', 'seen'])('the %s door', (door) => {
  const sidecar = () => sidecars.get(door) as SidecarProcess;
  const ask = (path: string, options: CallOptions = {}) => call(sidecar().api + path, options);
  const get = (path: string, headers: Record<string, string> = {}) => ask(path, { headers });
  const all: [string, string, Record<string, string>][] = [
    ['another app', '/v1.0/invoke/other/method/x', {}],
    ['itself', `/v1.0/invoke/orders-${door}/method/x`, {}],
    ['an app by header', '/x', { 'dapr-app-id': 'other' }],
    ['an app as if it were gRPC', '/x', { 'dapr-app-id': 'other', 'content-type': 'application/grpc' }],
    ['state', '/v1.0/state/store/key', {}],
    ['an actor', '/v1.0/actors/T/1/method/m', {}],
    ['metadata', '/v1.0/metadata', {}],
    ['nothing', '/nothing', {}],
    ['a path with dots', '/v1.0/healthz/../state/store/key', {}],
    ['a path with an escaped letter', '/v1.0/%73tate/store/key', {}],
  ];

  it('is ready only when its pipeline is in place: the first call meets it', async () => {
    const bearer = component('bearer', 'bearer', { issuer: issuer.url, audience: 'my-audience' });
    configure([bearer], { httpPipeline: handlers('bearer') });
    await eventually(async () => expect((await get('/v1.0/state/store/key')).status).toBe(401));
  });

  it.each(all)('asks %s for a token', async (_about, path, headers) => {
    seen.length = 0;
    const refused = await get(path, headers);
    // To a client that says it speaks gRPC, Envoy says so in gRPC.
    if (headers['content-type'] === undefined) expect([refused.status, refused.body]).toEqual([401, 'Unauthorized']);
    expect(seen).toEqual([]);
  });

  it('serves calls with a token, whose issuer’s keys it has found by itself', async () => {
    const authorization = `Bearer ${issuer.token()}`;
    expect((await get('/v1.0/invoke/other/method/x', { authorization })).body).toBe('hello');
    expect((await get('/v1.0/state/store/key', { authorization })).status).toBe(204);
    const { body, status } = await get('/v1.0/metadata', { authorization });
    expect([status, JSON.parse(body).components.map((it: { name: string }) => it.name)]).toEqual([
      200,
      ['bearer', 'env', 'store'],
    ]);
    expect((await get('/v1.0/healthz')).status).toBe(204);
  });

  it('has no HTTP on its gRPC port to go around it, and gRPC as ever', async () => {
    const authority = `http://127.0.0.1:${sidecar().grpcPort}`;
    seen.length = 0;
    for (const type of ['text/plain', 'application/grpc']) {
      const session = connect(authority);
      session.on('error', () => {});
      const stream = session.request({ ':path': '/v1.0/invoke/other/method/x', 'content-type': type });
      await new Promise((done) => stream.on('close', done).on('error', done).resume());
      session.destroy();
    }
    expect(seen).toEqual([]);
    expect((await grpcCall(authority, '/dapr.proto.runtime.v1.Dapr/GetMetadata')).status).toBe('0');
  });

  it('runs the example in TypeScript', async () => {
    configure([component('mine', 'extproc', { module: EXAMPLE })], { httpPipeline: handlers('mine=extproc') });
    await eventually(async () => expect((await get('/v1.0/state/store/key')).status).toBe(400));
    const refused = await get('/v1.0/invoke/other/method/x');
    expect([refused.status, refused.body]).toEqual([400, 'who are you? send x-tenant\n']);
    seen.length = 0;
    const answered = await get('/v1.0/invoke/other/method/x', { 'x-tenant': 'acme' });
    expect([answered.status, answered.body, answered.headers['x-seen-by']]).toEqual([200, 'hello', 'add-header.ts']);
    expect(seen[0]?.headers['x-greeting']).toBe('hello, acme');
    expect((await get('/v1.0/state/store/key', { 'x-tenant': 'acme' })).headers['x-seen-by']).toBe('add-header.ts');
    expect((await get('/v1.0/healthz')).status).toBe(204);
  });

  it('gives paths other names, and bodies upper case', async () => {
    const routes = JSON.stringify({ '/hello/{id}': '/v1.0/invoke/other/method/greet', '/mine': '/v1.0/state/store/key' });
    configure([component('routeralias', 'routeralias', { routes }), component('uppercase', 'uppercase')], {
      httpPipeline: handlers('routeralias', 'uppercase'),
    });
    await eventually(async () => expect((await get('/mine')).status).toBe(204));
    seen.length = 0;
    expect(
      (await ask('/hello/a%20b?x=1', { method: 'POST', body: 'quiet', headers: { 'content-type': 'text/plain' } })).body,
    ).toBe('hello');
    expect(seen[0]).toMatchObject({ url: '/greet?x=1&id=a%20b', body: 'QUIET', headers: { 'content-length': '5' } });
  });

  it('sends who has not signed in to the issuer, and passes the token on for who has', async () => {
    const { url } = issuer;
    const metadata = {
      clientID: 'me',
      clientSecret: { envRef: 'OAUTH_SECRET' },
      authURL: `${url}/authorize`,
      tokenURL: `${url}/token`,
    };
    const redirectURL = `${sidecar().api}/callback`;
    const oauth2 = component('sign-in', 'oauth2', { ...metadata, redirectURL, scopes: 'openid', pathFilter: '/method/secret$' });
    configure([oauth2], { httpPipeline: handlers('sign-in=oauth2') });
    const secret = '/v1.0/invoke/other/method/secret';
    const redirect = await eventually(async () => {
      const answer = await get(secret);
      expect(answer.status).toBe(302);
      return answer;
    });
    expect((await get(`${secret}?a=b`)).status).toBe(302);
    expect((await get('/v1.0/invoke/other/method/open')).body).toBe('hello');
    const to = new URL(redirect.headers.location ?? '');
    expect(`${to.origin}${to.pathname}`).toBe(`${url}/authorize`);
    expect(to.searchParams.get('client_id')).toBe('me');
    expect(to.searchParams.get('redirect_uri')).toBe(redirectURL);
    const nonce = cookiesOf(redirect.headers['set-cookie']);
    const back = await get(`/callback?code=1&state=${encodeURIComponent(to.searchParams.get('state') ?? '')}`, { cookie: nonce });
    expect(back.status).toBe(302);
    expect(issuer.asked.at(-1)?.get('client_secret')).toBe(CLIENT_SECRET);
    seen.length = 0;
    const signedIn = await get(secret, { cookie: `${nonce}; ${cookiesOf(back.headers['set-cookie'])}` });
    expect([signedIn.status, signedIn.body]).toEqual([200, 'hello']);
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${ACCESS_TOKEN}`);
    expect((await get(secret, { cookie: 'BearerToken-x=forged; OauthHMAC-x=forged' })).status).toBe(302);
  });

  it('adds a token of its own to calls', async () => {
    const metadata = {
      clientID: 'me',
      clientSecret: { secretKeyRef: { name: 'OAUTH_SECRET' } },
      tokenURL: `${issuer.url}/token`,
      scopes: 'a,b',
    };
    const mine = component('own', 'oauth2clientcredentials', {
      ...metadata,
      headerName: 'authorization',
      pathFilter: '/method/',
    });
    configure([mine], { httpPipeline: handlers('own=oauth2clientcredentials') });
    await eventually(async () => {
      seen.length = 0;
      expect((await get('/v1.0/invoke/other/method/x')).status).toBe(200);
      expect(seen[0]?.headers.authorization).toBe(`Bearer ${ACCESS_TOKEN}`);
    });
    const form = issuer.asked.at(-1);
    expect([form?.get('grant_type'), form?.get('client_id'), form?.get('client_secret'), form?.get('scope')]).toEqual([
      'client_credentials',
      'me',
      CLIENT_SECRET,
      'a b',
    ]);
  });

  it('lets nothing pass for a handler without a component, and says so', async () => {
    configure([], { httpPipeline: handlers('gone=bearer') });
    await eventually(async () => expect((await get('/v1.0/state/store/key')).status).toBe(503));
    const { status, body } = await get('/v1.0/invoke/other/method/x');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { errorCode: 'ERR_MIDDLEWARE', message: 'the middleware gone of the pipeline cannot be applied; see weft routes' },
    ]);
    expect((await get('/v1.0/healthz')).status).toBe(204);
    expect(await problems()).toContain(
      `spec.httpPipeline of default/orders-${door}: handler gone: there is no component of this name in the app's scopes; add one of type middleware.http.bearer`,
    );
  });

  it('has the API’s lists in front of it', async () => {
    const denied = [{ name: 'invoke', version: 'v1', protocol: 'http' }];
    configure([component('limit', 'ratelimit', { maxRequestsPerSecond: 1000 })], {
      httpPipeline: handlers('limit=ratelimit'),
      api: { denied },
    });
    await eventually(async () => expect((await get('/v1.0/invoke/other/method/x')).status).toBe(404));
    for (const headers of [
      { 'dapr-app-id': 'other' },
      { authorization: `Basic ${Buffer.from('dapr-app-id:other').toString('base64')}` },
    ])
      expect((await get('/x', headers as never)).status).toBe(404);
    const state = await get('/v1.0/state/store/key');
    expect([state.status, state.body]).toEqual([204, '']);
  });

  it('serves all again without a pipeline', async () => {
    configure([], {});
    await eventually(async () => {
      expect((await get('/v1.0/state/store/key')).status).toBe(204);
      expect((await get('/v1.0/invoke/other/method/x')).body).toBe('hello');
    });
  });
});

const cookiesOf = (cookies: readonly string[] = []) => cookies.map((it) => it.split(';')[0]).join('; ');

it('takes a bad component for none: the good one before it stays, and the status names the mistake', async () => {
  const { api } = sidecars.get('service') as SidecarProcess;
  const checker = (rule: string) => component('paths', 'routerchecker', { rule });
  configure([checker('^/v1.0/state/')], { httpPipeline: handlers('paths=routerchecker') });
  await eventually(async () => expect((await call(`${api}/v1.0/invoke/other/method/x`)).status).toBe(400));
  configure([checker('(')], { httpPipeline: handlers('paths=routerchecker') });
  await eventually(async () =>
    expect(await problems()).toContainEqual(expect.stringContaining('spec.metadata rule: is no regular expression; correct it')),
  );
  expect((await call(`${api}/v1.0/invoke/other/method/x`)).status).toBe(400);
  expect((await call(`${api}/v1.0/state/store/key`)).status).toBe(204);
});

it('keeps the client’s secret in files that only this user can read', async () => {
  const dirs = readdirSync(join(mesh.world.home, 'run')).map((name) => join(mesh.world.home, 'run', name));
  let found = 0;
  for (const dir of dirs) {
    const { body } = await call('http://x/config_dump', { socketPath: join(dir, 'admin.sock') });
    expect(body).not.toContain(CLIENT_SECRET);
    for (const file of readdirSync(dir).filter((name) => name.endsWith('.json'))) {
      if (!readFileSync(join(dir, file), 'utf8').includes(CLIENT_SECRET)) continue;
      found += 1;
      expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
    }
  }
  expect(found).toBeGreaterThan(0);
  for (const { cli } of sidecars.values()) expect(cli.text()).not.toContain(CLIENT_SECRET);
});
