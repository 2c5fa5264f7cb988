import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { eventually } from '../../support/eventually.js';
import { startHttpApp, type TestHttpApp } from '../../support/http-app.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { scrape, sumOf } from '../../support/series.js';

/** What Envoy decides and answers by itself, counted in Dapr's series: by which rule, and as which error. */

const CALLERS = ['shop', 'clerk', 'stranger'] as const;
type Name = (typeof CALLERS)[number] | 'worker';
let mesh: Mesh;
let app: TestHttpApp;
const sidecars = {} as Record<Name, SidecarProcess>;
const ports = {} as Record<Name, number>;

const CONFIGURATION = `
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: strict }
spec:
  metrics: { recordErrorCodes: true }
  accessControl:
    defaultAction: deny
    trustDomain: public
    policies:
      - { appId: shop, defaultAction: allow, trustDomain: public, namespace: default, operations: [{ name: /secret, httpVerb: ["*"], action: deny }] }
      - { appId: clerk, trustDomain: public, namespace: default, operations: [{ name: /open, httpVerb: ["GET"], action: allow }] }
`;
const RESILIENCY = `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: short }
spec:
  policies: { timeouts: { short: 300ms }, retries: { none: { policy: constant, maxRetries: 0 } } }
  targets: { apps: { worker: { timeout: short, retry: none } } }
`;

beforeAll(async () => {
  mesh = await createMesh();
  const { home } = mesh.world;
  const config = join(home, 'config.yaml');
  writeFileSync(config, CONFIGURATION);
  const resources = join(home, 'resources');
  mkdirSync(resources);
  writeFileSync(join(resources, 'resiliency.yaml'), RESILIENCY);
  app = await startHttpApp(({ url }) => {
    if (url === '/slow') return new Promise(() => {});
    if (url === '/own') return { status: 500, body: '{"errorCode":"ERR_DIRECT_INVOKE"}' };
    return url.startsWith('/dapr/') ? { status: 404 } : {};
  });
  const start = async (appId: Name, appPort = 0) => {
    ports[appId] = await mesh.world.port();
    const door = appId === 'clerk' ? 'envoy' : 'service';
    const args = ['--metrics-port', String(ports[appId]), '--config', config, '--resources-path', resources];
    sidecars[appId] = await mesh.sidecar({ appId, appPort, door, args });
  };
  for (const name of CALLERS) await start(name);
  await start('worker', Number(new URL(app.origin).port));
  await Promise.all(Object.values(sidecars).map((sidecar) => sidecar.ready()));
}, 90_000);
afterAll(async () => {
  await mesh?.close();
  await app?.close();
});

const call = async (who: Name, path: string, target = 'worker') => {
  const response = await fetch(`${sidecars[who].api}/v1.0/invoke/${target}/method/${path}`);
  await response.arrayBuffer();
  return response.status;
};
const errors = async (who: Name) =>
  sumOf(await scrape(ports[who]), 'dapr_error_code_total', {
    error_code: 'ERR_DIRECT_INVOKE',
    category: 'service-invocation',
    app_id: who,
  }) ?? 0;

it('counts each decision under the rules that made it', async () => {
  for (const path of ['a', 'b', 'secret']) await call('shop', path);
  expect([await call('clerk', 'open'), await call('clerk', 'other'), await call('clerk', 'more')]).toEqual([200, 403, 403]);
  expect(await call('stranger', 'open')).toBe(403);
  const of = (appId: string) => ({ app_id: appId, ...(appId ? { trust_domain: 'public', namespace: 'default' } : {}) });
  await eventually(async () => {
    const samples = await scrape(ports.worker);
    const total = (scope: string, action: string, appId: string) =>
      sumOf(samples, `dapr_runtime_acl_${scope}_policy_action_${action}_total`, of(appId));
    expect({
      shop: [total('app', 'allowed', 'shop'), total('app', 'blocked', 'shop'), total('global', 'allowed', 'shop')],
      // Its policy has no default of its own: what Dapr counts under the default of the whole.
      clerk: [total('global', 'allowed', 'clerk'), total('global', 'blocked', 'clerk'), total('app', 'allowed', 'clerk')],
      stranger: [total('global', 'blocked', ''), total('global', 'allowed', ''), total('global', 'blocked', 'stranger')],
    }).toEqual({ shop: [2, 1, undefined], clerk: [1, 2, undefined], stranger: [1, undefined, undefined] });
    expect(sumOf(samples, 'dapr_error_code_total', { error_code: 'ERR_DIRECT_INVOKE' })).toBe(4);
  }, 20_000);
}, 40_000);

it.each(['shop', 'clerk'] as const)(
  'counts once what the Envoy of %s says in place of an app',
  async (who) => {
    // What an app says in the same words is none.
    expect(await call('shop', 'own')).toBe(500);
    const before = await errors(who);
    expect(await call(who, 'a', 'nobody')).toBe(500);
    await eventually(async () => expect((await errors(who)) - before).toBe(1), 20_000);
  },
  40_000,
);

it('counts a timeout, and a call of the gRPC API, once among all sidecars', async () => {
  const all = async () => (await Promise.all([errors('shop'), errors('worker')])).reduce((sum, count) => sum + count, 0);
  const before = await all();
  expect(await call('shop', 'slow')).toBe(500);
  await eventually(async () => expect((await all()) - before).toBe(1), 20_000);
  const client = new DaprClient(`127.0.0.1:${sidecars.shop.grpcPort}`, credentials.createInsecure());
  const message = { method: 'a', data: undefined, contentType: '', httpExtension: undefined };
  const code = await new Promise<number>((resolve) =>
    client.invokeService({ id: 'nobody', message }, new Metadata(), (error) => resolve(error?.code ?? 0)),
  );
  client.close();
  expect(code).toBe(13);
  await eventually(async () => expect((await all()) - before).toBe(2), 20_000);
  // Whatever came late would show by now: Envoy hands its lines over once a second.
  const last = await errors('shop');
  expect(await call('shop', 'a', 'nobody')).toBe(500);
  await eventually(async () => expect((await errors('shop')) - last).toBe(1), 20_000);
  expect((await all()) - before).toBe(3);
}, 60_000);

it('counts that the app is gone where that shows: at its own sidecar', async () => {
  await app.close();
  const [shop, worker] = [await errors('shop'), await errors('worker')];
  expect(await call('shop', 'a')).toBe(500);
  await eventually(async () => expect((await errors('worker')) - worker).toBe(1), 20_000);
  expect((await errors('shop')) - shop).toBe(0);
}, 40_000);
