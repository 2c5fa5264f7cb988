import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../support/mesh.js';
import { createWebAuthority } from '../support/web-certificates.js';

/**
 * Real sidecars call a real TLS server with what only it may see (case S8): headers and a client's key from a secret store, the environment
 * and the document. Nothing of it stands in a dump, a log or a file; without it no call goes out.
 */

const SECRETS = ['hush-token-1', 'hush-token-2', 'hush-literal', 'hush-env', 'hush-late', 'hush-plain'];

interface Seen {
  readonly url: string | undefined;
  readonly headers: Record<string, string>;
  readonly client: unknown;
}

const doors = [
  ['service', true],
  ['envoy', false],
] as const;

describe.each(doors)('on the %s door, mTLS between sidecars: %s', (door, mtls) => {
  let mesh: Mesh;
  let app: SidecarProcess;
  let server: Server;
  let vault: Record<string, string>;
  let newKey: { readonly cert: string; readonly key: string };
  const privateKeys: string[] = [];
  const seen: Seen[] = [];

  const file = (name: string) => join(mesh.world.home, name);
  const save = (change: Record<string, string>) => {
    vault = { ...vault, ...change };
    writeFileSync(file('secrets.new'), JSON.stringify(vault));
    renameSync(file('secrets.new'), file('secrets.json'));
  };
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, body } = await call(app.api + path, { headers });
    return { status, body: JSON.parse(body) };
  };
  const pay = () => get('/v1.0/invoke/pay/method/a');

  beforeAll(async () => {
    const web = await createWebAuthority();
    const mine = await web.issue('client-1');
    newKey = await web.issue('client-2');
    privateKeys.push(inner(mine.key), inner(newKey.key));
    server = createServer(
      { ...(await web.issue('localhost')), ca: web.ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const client = (request.socket as TLSSocket).getPeerCertificate().subject?.CN;
        seen.push({ url: request.url, headers: request.headers as Record<string, string>, client });
        response.setHeader('content-type', 'application/json').end(JSON.stringify(seen.at(-1)));
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const baseUrl = `https://localhost:${(server.address() as AddressInfo).port}`;
    mesh = await createMesh({ controlPlane: [`--enable-mtls=${mtls}`] });
    save({ token: 'Bearer hush-token-1', cert: mine.cert, key: mine.key, ca: web.ca });
    mkdirSync(file('app'));
    const ref = (name: string) => ({ secretKeyRef: { name } });
    const store = { auth: { secretStore: 'vault' } };
    const endpoint = (name: string, spec: object) => ({ ...document('HTTPEndpoint', name, { baseUrl, ...spec }), ...store });
    const rootCA = ref('ca');
    const headers = [
      { name: 'Authorization', ...ref('token') },
      { name: 'x-literal', value: 'hush-literal' },
      { name: 'x-env', envRef: 'PAY_ENV' },
      { name: 'x-empty', value: '' },
    ];
    const secretsFile = { name: 'secretsFile', value: file('secrets.json') };
    const resources = [
      document('Component', 'vault', { type: 'secretstores.local.file', version: 'v1', metadata: [secretsFile] }),
      endpoint('late', { headers: [{ name: 'x-late', ...ref('late') }], clientTLS: { rootCA } }),
      endpoint('no-pair', { clientTLS: { rootCA, certificate: ref('cert'), privateKey: ref('no-key') } }),
      endpoint('no-root', { clientTLS: { rootCA: ref('no-ca') } }),
      // The last of one origin is the one that the URL means.
      endpoint('pay', { headers, clientTLS: { rootCA, certificate: ref('cert'), privateKey: ref('key') } }),
    ];
    writeFileSync(file('app/all.yaml'), resources.map((it) => JSON.stringify(it)).join('\n---\n'));
    const args = ['--resources-path', file('app'), '--log-level', 'debug'];
    app = await mesh.sidecar({ appId: 'shop', door, args, env: { PAY_ENV: 'hush-env' } });
    await app.ready();
  }, 60_000);
  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await mesh?.close();
  });

  it('headers and certificate get there, from the first call on', async () => {
    const { status, body } = await pay();
    expect([status, body.client]).toEqual([200, 'client-1']);
    expect(body.headers).toMatchObject({
      authorization: 'Bearer hush-token-1',
      'x-literal': 'hush-literal',
      'x-env': 'hush-env',
      'x-empty': '',
    });
  });

  it('what a caller sends under such a name does not', async () => {
    const { body } = await call(`${app.api}/v1.0/invoke/pay/method/a`, {
      headers: { authorization: 'mine', 'X-LITERAL': 'mine' },
    });
    expect(JSON.parse(body).headers).toMatchObject({ authorization: 'Bearer hush-token-1', 'x-literal': 'hush-literal' });
  });

  it('the endpoint’s URL in the place of its name brings no header', async () => {
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const { body } = await get(`/v1.0/invoke/${encodeURIComponent(url)}/method/a`);
    expect(body.url).toBe('/a');
    expect(Object.keys(body.headers).sort()).toEqual(['host']);
  });

  it('metadata names the endpoints', async () => {
    expect((await get('/v1.0/metadata')).body.httpEndpoints.map(({ name }: { name: string }) => name)).toEqual([
      'late',
      'no-pair',
      'no-root',
      'pay',
    ]);
  });

  it.each([
    ['late', /a header's secret cannot be read; see weft routes/],
    ['no-pair', /a certificate of its clientTLS cannot be read; see weft routes/],
    ['no-root', /a certificate of its clientTLS cannot be read; see weft routes/],
  ])('%s: a call without its secret does not go out, and the status says why', async (name, reason) => {
    const before = seen.length;
    const { status, body } = await get(`/v1.0/invoke/${name}/method/a`, { 'x-late': 'mine' });
    expect([status, body.errorCode]).toEqual([500, 'ERR_DIRECT_INVOKE']);
    expect(body.message).toMatch(new RegExp(`^failed to invoke, id: ${name}, err: `));
    expect(body.message).toMatch(reason);
    expect(seen.length).toBe(before);
    const problem = new RegExp(
      `shop: HTTPEndpoint ${name} \\(.*all.yaml.*\\): .* refers to secret .* of store vault: secret .* not found`,
    );
    expect((await mesh.world.run(['routes'])).text).toMatch(problem);
    expect(app.cli.text()).toMatch(/a secret of an external service cannot be read/);
    // Envoy was told at once, and did not wait for it.
    expect(app.cli.text()).not.toMatch(/initial fetch timed out|level=warning.*Unexpected SDS secret/);
  });

  it('a secret that comes, and one that changes, is used without a restart', async () => {
    save({ late: 'hush-late', token: 'hush-token-2', cert: newKey.cert, key: newKey.key, 'no-key': newKey.key });
    await eventually(async () => {
      expect((await get('/v1.0/invoke/late/method/a')).body.headers).toMatchObject({ 'x-late': 'hush-late' });
      expect((await get('/v1.0/invoke/no-pair/method/a')).body.client).toBe('client-2');
      const { body } = await pay();
      expect([body.headers.authorization, body.client]).toEqual(['hush-token-2', 'client-2']);
    }, 30_000);
    expect((await mesh.world.run(['routes'])).text).not.toContain('HTTPEndpoint late');
  }, 40_000);

  it('one that is bad or gone leaves the last good one, and the status says so', async () => {
    save({ token: 'hush-plain\n' });
    await eventually(
      async () =>
        expect((await mesh.world.run(['routes'])).text).toContain('header authorization: the value has a control character'),
      30_000,
    );
    expect((await pay()).body.headers.authorization).toBe('hush-token-2');
  }, 40_000);

  it('nothing of it is in a dump, a log or a file of the sidecar', async () => {
    const run = file('run');
    const dumps = await Promise.all(
      readdirSync(run).map((id) => call('http://x/config_dump?include_eds', { socketPath: join(run, id, 'admin.sock') })),
    );
    const files = readdirSync(run, { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile())
      .map((it) => readFileSync(join(it.parentPath, it.name), 'latin1'));
    const shown = [
      ...dumps.map(({ body }) => body),
      ...files,
      (await mesh.world.run(['proxy-config', 'shop'])).text,
      (await mesh.world.run(['proxy-status'])).text,
      (await mesh.world.run(['routes'])).text,
      (await call(`${app.api}/v1.0/metadata`)).body,
      app.cli.text(),
    ];
    expect(dumps[0]?.body).toContain('external||pay');
    for (const text of shown) for (const secret of [...SECRETS, ...privateKeys]) expect(text).not.toContain(secret);
  });

  it('an endpoint that goes is not called any more', async () => {
    rmSync(file('app/all.yaml'));
    await eventually(async () => {
      const { status, body } = await pay();
      expect([status, body.errorCode]).toEqual([500, 'ERR_DIRECT_INVOKE']);
    }, 20_000);
  }, 30_000);
});

const document = (kind: string, name: string, spec: object) => ({
  apiVersion: 'dapr.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
});

/** A piece of a PEM text that nothing else has. */
const inner = (pem: string) => pem.split('\n')[2]?.slice(0, 24) ?? '';
