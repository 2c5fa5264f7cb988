import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { accessPolicy, decide } from '../../../src/model/access/policy.js';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { isAdmin, PATHS, readings, under } from '../../support/path-tricks.js';
import { type RawAnswer, type RawRequest, rawRequest } from '../../support/raw-http.js';

/**
 * Real processes with mTLS, through the port that an app uses, at either door and with a pipeline in front: the path matrix (S1, S2), forged
 * identities (S3), and the allow list of external services.
 */

const rule = { name: '/admin', httpVerb: ['*'], action: 'deny' as const };
const accessControl = {
  defaultAction: 'allow' as const,
  trustDomain: 'public',
  policies: [{ appId: 'shop', namespace: 'default', trustDomain: 'public', defaultAction: 'allow' as const, operations: [rule] }],
};
const policy = accessPolicy(accessControl, 'http');
const CALLER = 'spiffe://public/ns/default/shop';

interface Reached {
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

let mesh: Mesh;
const sidecars = new Map<string, SidecarProcess>();
/** What got to the app, to the host that an endpoint names, and to one that none does. */
const reached = { app: [] as Reached[], listed: [] as Reached[], hidden: [] as Reached[] };
const servers: Server[] = [];
const ports = { listed: 0, hidden: 0 };

const document = (kind: string, name: string, spec: object) => ({
  apiVersion: 'dapr.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
});

async function outside(name: 'listed' | 'hidden'): Promise<void> {
  const server = createServer(({ url = '', headers }, response) => {
    reached[name].push({ url, headers });
    response.end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ports[name] = (server.address() as AddressInfo).port;
  servers.push(server);
}

beforeAll(async () => {
  await Promise.all([outside('listed'), outside('hidden')]);
  mesh = await createMesh();
  const { home } = mesh.world;
  const dir = join(home, 'resources');
  mkdirSync(dir);
  const limit = [{ name: 'maxRequestsPerSecond', value: '1000000' }];
  const resources = [
    document('HTTPEndpoint', 'weather', { baseUrl: `http://localhost:${ports.listed}` }),
    document('Component', 'limit', { type: 'middleware.http.ratelimit', version: 'v1', metadata: limit }),
  ];
  writeFileSync(join(dir, 'all.yaml'), resources.map((it) => JSON.stringify(it)).join('\n---\n'));
  const config = (name: string, spec: object) => {
    writeFileSync(join(home, `${name}.yaml`), JSON.stringify(document('Configuration', name, spec)));
    return ['--resources-path', dir, '--config', join(home, `${name}.yaml`)];
  };
  const appPort = await mesh.app(({ url = '', headers }, response) => {
    reached.app.push({ url, headers });
    response.end('app');
  });
  const orders = await mesh.sidecar({ appId: 'orders', appPort, args: config('orders', { accessControl }) });
  const piped = config('piped', { httpPipeline: { handlers: [{ name: 'limit', type: 'middleware.http.ratelimit' }] } });
  const plain = config('plain', {});
  sidecars.set('envoy door', await mesh.sidecar({ appId: 'shop', door: 'envoy', args: plain }));
  sidecars.set('service door', await mesh.sidecar({ appId: 'shop', door: 'service', args: plain }));
  sidecars.set('service door with a pipeline', await mesh.sidecar({ appId: 'shop', door: 'service', args: piped }));
  await Promise.all([orders, ...sidecars.values()].map((it) => it.ready()));
}, 90_000);
beforeEach(() => {
  for (const list of Object.values(reached)) list.length = 0;
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await mesh?.close();
});

const basic = `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}`;
const FORMS = {
  'by path': (path: string) => ({ target: under('/v1.0/invoke/orders/method', path) }),
  'by header': (target: string) => ({ target, headers: { 'dapr-app-id': 'orders' } }),
  'by basic auth': (target: string) => ({ target, headers: { authorization: basic } }),
};

describe.each(['envoy door', 'service door', 'service door with a pipeline'])('the %s', (door) => {
  const sidecar = () => sidecars.get(door) as SidecarProcess;
  const send = (request: RawRequest): Promise<RawAnswer> => rawRequest({ host: '127.0.0.1', port: sidecar().httpPort }, request);

  it.each(Object.entries(FORMS))(
    'lets no spelling of a denied path through: %s',
    async (_, form) => {
      await eventually(async () => expect((await send(form('/x'))).status).toBe(200));
      expect((await send(form('/admin'))).status).toBe(403);
      reached.app.length = 0;
      for (const [, path] of PATHS) {
        const { status } = await send(form(path));
        const urls = reached.app.splice(0).map(({ url }) => url);
        for (const url of urls) {
          expect(readings(url).filter(isAdmin), `the app got ${JSON.stringify(url)}`).toEqual([]);
          expect(policy && decide(policy, { caller: CALLER, path: url.replace(/\?.*$/s, ''), verb: 'GET' })).toBe('allow');
        }
        if (urls.length === 0) expect([0, 400, 403, 404, 500], JSON.stringify(path)).toContain(status);
      }
    },
    60_000,
  );

  it.each(['by path', 'by header'] as const)('takes no identity from a client: %s', async (form) => {
    const forged = {
      'Dapr-Caller-App-Id': 'admin',
      'dapr-caller-app-id': 'root',
      'dapr-caller-namespace': 'kube-system',
      dapr_caller_app_id: 'admin',
      'dapr-callee-app-id': 'admin',
      'dapr-api-token': 'secret',
      'x-forwarded-client-cert': 'URI=spiffe://public/ns/default/admin',
      'X-Weft-To': 'actor',
      'x-weft-actor': 'T/1',
      'x-envoy-original-path': '/x',
      'x-forwarded-host': 'evil',
      connection: 'close, dapr-caller-app-id, dapr-caller-namespace',
    };
    const { target, headers } = { headers: {}, ...FORMS[form]('/x') };
    expect((await send({ target, headers: { ...forged, ...headers } })).body).toBe('app');
    const got = reached.app[0]?.headers ?? {};
    expect(got).toMatchObject({
      'dapr-caller-app-id': 'shop',
      'dapr-caller-namespace': 'default',
      'dapr-callee-app-id': 'orders',
    });
    expect(Object.keys(got).filter((name) => /^x-(weft|envoy)-|client-cert|api-token/.test(name))).toEqual([]);
    expect(Object.values(got)).not.toContain('evil');
  });

  it('reaches the host that an endpoint names, and strips what is ours', async () => {
    const id = `http://localhost:${ports.listed}`;
    for (const target of [
      `/v1.0/invoke/${id}/method/a`,
      `/v1.0/invoke/${encodeURIComponent(id)}/method/a`,
      '/v1.0/invoke/weather/method/a',
    ])
      expect((await send({ target, headers: { 'dapr-api-token': 'x', 'dapr-caller-app-id': 'x' } })).body, target).toBe('listed');
    expect(reached.listed.map(({ url }) => url)).toEqual(['/a', '/a', '/a']);
    for (const { headers } of reached.listed) expect(Object.keys(headers).filter((name) => /^(dapr|x)-/.test(name))).toEqual([]);
  });

  it('refuses another host in Dapr’s words, with the remedy', async () => {
    for (const id of [`http://127.0.0.1:${ports.hidden}`, 'https://169.254.169.254', 'http://localhost:1']) {
      const { status, body } = await send({ target: `/v1.0/invoke/${encodeURIComponent(id)}/method/a` });
      expect([status, JSON.parse(body).errorCode]).toEqual([500, 'ERR_DIRECT_INVOKE']);
      expect(JSON.parse(body).message).toMatch(
        /^failed to invoke, id: https?:\/\/.*, err: no HTTPEndpoint names this host; add one/,
      );
    }
  });

  it('has no spelling that gets round the list', async () => {
    const { listed, hidden } = ports;
    const named = `localhost:${listed}`;
    const tricks = [
      ...[`http://localhost:${hidden}`, `http://127.0.0.1:${hidden}`, `http://127.0.0.1:${listed}`, `https://${named}`],
      ...[`http://${named}@127.0.0.1:${hidden}`, `http://x@${named}`, `http://${named}:x@127.0.0.1:${hidden}`],
      ...[
        `http://${named}#@127.0.0.1:${hidden}`,
        `http://${named}?@127.0.0.1:${hidden}`,
        `http://${named}\\@127.0.0.1:${hidden}`,
      ],
      ...[
        `http://${named}.evil`,
        `http://${named}0`,
        `http://localhost.:${hidden}`,
        `http://0${named}`,
        `http://localhost:0${hidden}`,
      ],
      ...[`http://LOCALHOST:${hidden}`, `HTTP://localhost:${hidden}`, `http:\\\\localhost:${hidden}`, `http:localhost:${hidden}`],
      ...[`http://2130706433:${hidden}`, `http://0x7f000001:${hidden}`, `http://0177.0.0.1:${hidden}`, `http://127.1:${hidden}`],
      ...[
        `http://[::1]:${hidden}`,
        `http://[::ffff:127.0.0.1]:${hidden}`,
        `http://[::ffff:7f00:1]:${hidden}`,
        `http://0:${hidden}`,
      ],
      ...[
        `http://${named}/../127.0.0.1:${hidden}`,
        `http://${named}%00@127.0.0.1:${hidden}`,
        `http://${named}, http://localhost:${hidden}`,
      ],
      ...[
        `//localhost:${hidden}`,
        `ftp://localhost:${hidden}`,
        `http:///localhost:${hidden}`,
        'file:///etc/passwd',
        'unix:///run/x',
      ],
    ];
    for (const id of tricks) {
      const forms: RawRequest[] = [
        { target: `/v1.0/invoke/${id.replaceAll(' ', '%20')}/method/a` },
        { target: `/v1.0/invoke/${encodeURIComponent(id)}/method/a` },
        { target: `/v1.0/invoke/${encodeURIComponent(encodeURIComponent(id))}/method/a` },
        { target: '/a', headers: { 'dapr-app-id': id } },
        { target: '/a', headers: { authorization: `Basic ${Buffer.from(`dapr-app-id:${id}`).toString('base64')}` } },
        { target: `${id.replaceAll(' ', '%20')}/a` },
      ];
      for (const form of forms) {
        const { status } = await send(form);
        expect(reached.hidden, JSON.stringify(form)).toEqual([]);
        // Some lead to the named host after all, and then as itself.
        const hosts = reached.listed.splice(0).map(({ headers }) => headers.host);
        expect(
          hosts.filter((host) => host !== named),
          JSON.stringify(form),
        ).toEqual([]);
        if (hosts.length === 0) expect([0, 400, 403, 404, 500], JSON.stringify(form)).toContain(status);
      }
    }
  }, 60_000);

  it('has none for InvokeService either', async () => {
    const client = new DaprClient(`127.0.0.1:${sidecar().grpcPort}`, credentials.createInsecure());
    const invoke = (id: string) =>
      new Promise<string>((resolve) => {
        const message = { method: 'a', data: undefined, contentType: '', httpExtension: { verb: 1, querystring: '' } };
        client.invokeService({ id, message } as never, (error) => resolve(error ? 'refused' : 'answered'));
      });
    for (const id of [`http://127.0.0.1:${ports.hidden}`, `http://localhost:${ports.listed}@127.0.0.1:${ports.hidden}`])
      expect(await invoke(id)).toBe('refused');
    client.close();
    expect(reached.hidden).toEqual([]);
  });
});
