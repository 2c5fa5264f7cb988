import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, Metadata, Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppCallbackHealthCheckService, AppCallbackService } from '../../../src/gen/dapr/proto/runtime/v1/appcallback.js';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { eventually } from '../../support/eventually.js';
import { startHttpApp, type TestHttpApp } from '../../support/http-app.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { type SeriesSample, scrape, sumOf } from '../../support/series.js';

/**
 * Every documented series of what this version can do (reference §8), with its labels, on the sidecar that has to have it, after real calls of
 * each kind: `shop` calls, publishes and keeps state, `worker` is called and hosts actors, `till` is a gRPC app.
 */

type Name = 'shop' | 'worker' | 'till';
let mesh: Mesh;
const sidecars = {} as Record<Name, SidecarProcess>;
const ports = {} as Record<Name, number>;
const apps: TestHttpApp[] = [];
let till: Server;

const RESOURCES = `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.in-memory, metadata: [{ name: actorStateStore, value: "true" }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.in-memory, metadata: [] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: secretstores.local.env, metadata: [] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: broken }
spec: { type: state.sqlite, ignoreErrors: true, metadata: [{ name: connectionString, value: /nowhere/at/all.db }] }
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: firm }
spec:
  policies:
    timeouts: { short: 5s }
    retries: { twice: { policy: constant, duration: 10ms, maxRetries: 2 } }
    circuitBreakers: { fuse: { trip: consecutiveFailures > 100, timeout: 30s } }
  targets:
    apps: { worker: { timeout: short, retry: twice, circuitBreaker: fuse } }
    actors: { Counter: { timeout: short, retry: twice } }
    components: { statestore: { outbound: { timeout: short, retry: twice, circuitBreaker: fuse } } }
`;
const CONFIGURATION = `
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: all }
spec:
  metrics: { recordErrorCodes: true }
  accessControl:
    defaultAction: allow
    policies:
      - { appId: shop, defaultAction: allow, trustDomain: public, namespace: default, operations: [{ name: /secret, httpVerb: ["*"], action: deny }] }
`;

async function start(appId: Name, appPort: number, args: readonly string[] = []): Promise<void> {
  const { home } = mesh.world;
  ports[appId] = await mesh.world.port();
  sidecars[appId] = await mesh.sidecar({
    appId,
    appPort,
    args: [
      ...['--metrics-port', String(ports[appId]), '--resources-path', join(home, 'all')],
      ...['--config', join(home, 'config.yaml'), '--enable-app-health-check', '--app-health-probe-interval', '1', ...args],
    ],
  });
}

beforeAll(async () => {
  mesh = await createMesh();
  const { home } = mesh.world;
  mkdirSync(join(home, 'all'));
  writeFileSync(join(home, 'all', 'all.yaml'), RESOURCES);
  writeFileSync(join(home, 'config.yaml'), CONFIGURATION);
  const subscription = '[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]';
  const shop = await startHttpApp(({ url, body }) => {
    if (url === '/dapr/subscribe')
      return {
        body: `[{"pubsubname":"pubsub","topic":"bulk","route":"/bulk","bulkSubscribe":{"enabled":true}},${subscription.slice(1)}`,
      };
    if (url === '/bulk')
      return { body: JSON.stringify({ statuses: entriesOf(body).map((entryId) => ({ entryId, status: 'SUCCESS' })) }) };
    return url.startsWith('/dapr/') ? { status: 404 } : { body: '{}' };
  });
  const worker = await startHttpApp(({ url }) => {
    if (url === '/dapr/config') return { body: '{"entities":["Counter"]}' };
    if (url.startsWith('/dapr/')) return { status: 404 };
    return url === '/fail' ? { status: 503, body: 'no' } : { body: '{}' };
  });
  apps.push(shop, worker);
  till = new Server();
  const answer = (value: object) => (_call: unknown, done: (error: null, value: object) => void) => done(null, value);
  till.addService(AppCallbackService, {
    onInvoke: answer({ data: undefined, contentType: '' }),
    listTopicSubscriptions: answer({ subscriptions: [] }),
  } as unknown as UntypedServiceImplementation);
  till.addService(AppCallbackHealthCheckService, { healthCheck: answer({}) } as unknown as UntypedServiceImplementation);
  const tillPort = await new Promise<number>((resolve, reject) =>
    till.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port))),
  );
  const portOf = ({ origin }: TestHttpApp) => Number(new URL(origin).port);
  await start('shop', portOf(shop));
  await start('worker', portOf(worker));
  await start('till', tillPort, ['--app-protocol', 'grpc']);
  await Promise.all(Object.values(sidecars).map((sidecar) => sidecar.ready()));
  await traffic();
}, 90_000);
afterAll(async () => {
  await mesh?.close();
  till?.forceShutdown();
  for (const app of apps) await app.close();
});

const call = async (path: string, method = 'GET', body?: string) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${sidecars.shop.api}/v1.0/${path}`, { method, headers, ...(body ? { body } : {}) });
  await response.arrayBuffer();
  return response.status;
};

const entriesOf = (body: string) =>
  (JSON.parse(body) as { entries: { entryId: string }[] }).entries.map(({ entryId }) => entryId);

/** Each kind of call, the good and the bad. */
async function traffic(): Promise<void> {
  expect(await call('state/statestore', 'POST', '[{"key":"a","value":1}]')).toBe(204);
  expect(await call('state/statestore/a')).toBe(200);
  expect(await call('state/nosuch/a')).toBe(400);
  expect(await call('secrets/vault/HOME')).toBe(200);
  expect(await call('publish/pubsub/orders', 'POST', '{}')).toBe(204);
  const entries = ['1', '2'].map((entryId) => ({ entryId, event: { a: 1 }, contentType: 'application/json' }));
  expect(await call('publish/bulk/pubsub/bulk', 'POST', JSON.stringify(entries))).toBe(204);

  expect(await call('invoke/worker/method/work', 'POST', '"hello"')).toBe(200);
  expect(await call('invoke/worker/method/fail')).toBe(503);
  expect(await call('invoke/worker/method/secret')).toBe(403);
  expect(await call('invoke/till/method/pay', 'POST', '{}')).toBe(200);
  await eventually(async () => expect(await call('actors/Counter/7/method/add', 'PUT', '1')).toBe(200));
  const client = new DaprClient(`127.0.0.1:${sidecars.shop.grpcPort}`, credentials.createInsecure());
  const get = (storeName: string) =>
    new Promise<number>((resolve) =>
      client.getState({ storeName, key: 'a', consistency: 0, metadata: {} }, new Metadata(), (error) =>
        resolve(error?.code ?? 0),
      ),
    );
  expect(await get('statestore')).toBe(0);
  expect(await get('nosuch')).toBe(3);
  client.close();
}

/** On `who`, at least once, with exactly these names of labels (and `app_id`) on one series. */
interface Expected {
  readonly who: Name;
  readonly series: string;
  readonly labels?: Record<string, string>;
}

const on = (who: Name, series: string, labels: Record<string, string> = {}): Expected => ({ who, series, labels });
const histogram = (who: Name, series: string, labels: Record<string, string> = {}): Expected[] =>
  ['_bucket', '_sum', '_count'].map((part) => on(who, `${series}${part}`, labels));

const HTTP = { method: 'GET', path: '/v1.0/state/statestore', status: '200' };
const GRPC_METHOD = '/dapr.proto.runtime.v1.Dapr/GetState';
const STATE = { component: 'statestore', namespace: 'default', operation: 'get', success: 'true' };
const SECRET = { component: 'vault', namespace: 'default', operation: 'get', success: 'true' };
const EGRESS = { component: 'pubsub', namespace: 'default', topic: 'orders', success: 'true' };
const INGRESS = { component: 'pubsub', namespace: 'default', topic: 'orders', process_status: 'success', status: 'success' };
const BULK = { ...EGRESS, topic: 'bulk' };
const BULK_IN = { ...INGRESS, topic: 'bulk' };
const TO_WORKER = { dst_app_id: 'worker', dst_namespace: 'default', type: 'unary' };
/** As in Dapr, `app_id` is the caller's there. */
const SHOP = { app_id: 'shop', trust_domain: 'public', namespace: 'default' };
const firm = (policy: string, target: string, status = '') => ({
  ...{ name: 'firm', policy, namespace: 'default', flow_direction: 'outbound', target, status },
});

const EXPECTED: readonly Expected[] = [
  // HTTP server and client
  on('shop', 'dapr_http_server_request_count', HTTP),
  on('shop', 'dapr_http_server_response_count', HTTP),
  ...histogram('shop', 'dapr_http_server_latency', HTTP),
  ...histogram('shop', 'dapr_http_server_request_bytes', HTTP),
  ...histogram('shop', 'dapr_http_server_response_bytes', HTTP),
  on('shop', 'dapr_http_client_completed_count', { method: 'POST', path: '/orders', status: '200' }),
  ...histogram('shop', 'dapr_http_client_roundtrip_latency', { method: 'POST', path: '/orders', status: '200' }),
  ...histogram('shop', 'dapr_http_client_sent_bytes', { method: 'POST', path: '/orders' }),
  ...histogram('shop', 'dapr_http_client_received_bytes'),
  on('worker', 'dapr_http_client_completed_count', { method: '', path: 'CallLocal', status: '2xx' }),
  on('worker', 'dapr_http_client_completed_count', { method: '', path: 'CallLocal', status: '5xx' }),
  on('worker', 'dapr_http_client_completed_count', { method: 'PUT', path: '/actors/Counter/{id}/method/add', status: '200' }),
  ...histogram('worker', 'dapr_http_client_roundtrip_latency', { path: 'CallLocal' }),
  ...histogram('worker', 'dapr_http_client_sent_bytes', { path: 'CallLocal' }),
  on('worker', 'dapr_http_healthprobes_completed_count', { status: '200' }),
  ...histogram('worker', 'dapr_http_healthprobes_roundtrip_latency', { status: '200' }),
  // gRPC server and client
  on('shop', 'dapr_grpc_io_server_completed_rpcs', { grpc_server_method: GRPC_METHOD, grpc_server_status: 'OK' }),
  on('shop', 'dapr_grpc_io_server_completed_rpcs', { grpc_server_method: GRPC_METHOD, grpc_server_status: 'InvalidArgument' }),
  ...histogram('shop', 'dapr_grpc_io_server_server_latency', { grpc_server_method: GRPC_METHOD, grpc_server_status: 'OK' }),
  ...histogram('shop', 'dapr_grpc_io_server_received_bytes_per_rpc', { grpc_server_method: GRPC_METHOD }),
  ...histogram('shop', 'dapr_grpc_io_server_sent_bytes_per_rpc', { grpc_server_method: GRPC_METHOD }),
  ...(() => {
    const method = { grpc_client_method: '/dapr.proto.runtime.v1.AppCallback/OnInvoke' };
    return [
      on('till', 'dapr_grpc_io_client_completed_rpcs', { ...method, grpc_client_status: 'OK' }),
      ...histogram('till', 'dapr_grpc_io_client_roundtrip_latency', { ...method, grpc_client_status: 'OK' }),
      ...histogram('till', 'dapr_grpc_io_client_sent_bytes_per_rpc', method),
      ...histogram('till', 'dapr_grpc_io_client_received_bytes_per_rpc', method),
    ];
  })(),
  on('till', 'dapr_grpc_io_healthprobes_completed_count', { grpc_client_status: 'OK' }),
  ...histogram('till', 'dapr_grpc_io_healthprobes_roundtrip_latency', { grpc_client_status: 'OK' }),
  // Components
  on('shop', 'dapr_runtime_component_loaded'),
  on('shop', 'dapr_runtime_component_init_total', { component: 'state.in-memory' }),
  on('shop', 'dapr_runtime_component_init_fail_total', { component: 'state.sqlite', reason: 'init', component_name: 'broken' }),
  on('shop', 'weft_components_refused'),
  on('shop', 'dapr_component_state_count', STATE),
  ...histogram('shop', 'dapr_component_state_latencies', STATE),
  on('shop', 'dapr_component_secret_count', SECRET),
  ...histogram('shop', 'dapr_component_secret_latencies', SECRET),
  // Pub/sub
  on('shop', 'dapr_component_pubsub_egress_count', EGRESS),
  ...histogram('shop', 'dapr_component_pubsub_egress_latencies', EGRESS),
  on('shop', 'dapr_component_pubsub_ingress_count', INGRESS),
  ...histogram('shop', 'dapr_component_pubsub_ingress_latencies', INGRESS),
  on('shop', 'dapr_component_pubsub_egress_bulk_count', BULK),
  on('shop', 'dapr_component_pubsub_egress_bulk_event_count', BULK),
  ...histogram('shop', 'dapr_component_pubsub_egress_bulk_latencies', BULK),
  on('shop', 'dapr_component_pubsub_ingress_bulk_count', BULK_IN),
  on('shop', 'dapr_component_pubsub_ingress_bulk_event_count', BULK_IN),
  ...histogram('shop', 'dapr_component_pubsub_ingress_bulk_latencies', BULK_IN),
  // Actors
  on('worker', 'dapr_runtime_actor_status_report_total', { operation: 'attach' }),
  on('worker', 'dapr_runtime_actor_table_operation_recv_total', { actor_type: 'Counter', operation: 'update' }),
  on('worker', 'weft_actor_activated_total', { actor_type: 'Counter' }),
  on('worker', 'weft_actor_active', { actor_type: 'Counter' }),
  // Invocation
  on('shop', 'dapr_runtime_service_invocation_req_sent_total', TO_WORKER),
  on('shop', 'dapr_runtime_service_invocation_res_recv_total', { ...TO_WORKER, src_app_id: 'worker', status: '200' }),
  on('shop', 'dapr_runtime_service_invocation_res_recv_total', { ...TO_WORKER, src_app_id: 'worker', status: '503' }),
  ...histogram('shop', 'dapr_runtime_service_invocation_res_recv_latency_ms', { ...TO_WORKER, src_app_id: 'worker' }),
  on('worker', 'dapr_runtime_service_invocation_req_recv_total', { type: 'unary' }),
  on('worker', 'dapr_runtime_service_invocation_res_sent_total', { type: 'unary', status: '2xx' }),
  // Security
  on('shop', 'dapr_runtime_mtls_init_total'),
  on('worker', 'dapr_runtime_acl_app_policy_action_allowed_total', SHOP),
  on('worker', 'dapr_runtime_acl_app_policy_action_blocked_total', SHOP),
  // Resiliency: of components by the filter service, of apps and actors by Envoy
  on('shop', 'dapr_resiliency_loaded', { name: 'firm', namespace: 'default' }),
  ...['retry', 'timeout'].map((policy) => on('shop', 'dapr_resiliency_count', firm(policy, 'Statestore_statestore'))),
  on('shop', 'dapr_resiliency_count', firm('circuitbreaker', 'Statestore_statestore', 'closed')),
  ...['retry', 'timeout'].map((policy) => on('shop', 'dapr_resiliency_count', firm(policy, 'app_worker'))),
  on('shop', 'dapr_resiliency_count', firm('circuitbreaker', 'app_worker', 'closed')),
  // Of an actor the caller tries again, and the owner limits the time.
  on('shop', 'dapr_resiliency_count', firm('retry', 'actor_Counter')),
  on('worker', 'dapr_resiliency_count', firm('timeout', 'actor_Counter')),
  on('shop', 'dapr_resiliency_activations_total', firm('retry', 'app_worker')),
  // Errors
  on('shop', 'dapr_error_code_total', { error_code: 'ERR_STATE_STORE_NOT_FOUND', category: 'state' }),
];

/** Present, but nothing has happened, or nothing that counts up. */
const PRESENT: readonly Expected[] = [
  on('worker', 'dapr_runtime_actor_status_report_fail_total'),
  on('worker', 'dapr_runtime_actor_pending_actor_calls', { actor_type: 'Counter' }),
  on('shop', 'dapr_runtime_mtls_init_fail_total'),
  on('shop', 'dapr_runtime_mtls_workload_cert_rotated_total'),
  on('shop', 'dapr_runtime_mtls_workload_cert_rotated_fail_total'),
  on('shop', 'dapr_resiliency_cb_state', firm('circuitbreaker', 'Statestore_statestore', 'closed')),
  on('shop', 'dapr_resiliency_cb_state', firm('circuitbreaker', 'app_worker', 'closed')),
  on('shop', 'dapr_resiliency_activations_total', firm('timeout', 'app_worker')),
];

const scrapeAll = async (): Promise<Record<Name, readonly SeriesSample[]>> => ({
  shop: await scrape(ports.shop),
  worker: await scrape(ports.worker),
  till: await scrape(ports.till),
});
const show = ({ who, series, labels }: Expected) => `${who}: ${series} ${JSON.stringify(labels ?? {})}`;

it('has every series with its labels, and has counted what happened', async () => {
  await eventually(async () => {
    const all = await scrapeAll();
    const sum = ({ who, series, labels }: Expected) => sumOf(all[who], series, { app_id: who, ...labels });
    // Sizes and times may be nothing.
    const isIdle = (expected: Expected) =>
      expected.series.endsWith('_sum') ? sum(expected) === undefined : (sum(expected) ?? 0) === 0;
    expect(EXPECTED.filter(isIdle).map(show)).toEqual([]);
    expect(PRESENT.filter((expected) => sum(expected) === undefined).map(show)).toEqual([]);
  }, 20_000);
}, 30_000);

it('counts the answers of the app alone as those of the app', async () => {
  await eventually(async () => {
    const { worker } = await scrapeAll();
    const of = (path: string, status?: string) =>
      sumOf(worker, 'dapr_http_client_completed_count', { path, ...(status ? { status } : {}) }) ?? 0;
    // One call that went well; one that failed and was tried again twice, as the refusal was; refusals and turns are none of the app's.
    expect([of('CallLocal', '2xx'), of('CallLocal', '5xx'), of('CallLocal', '4xx')]).toEqual([1, 3, 0]);
    expect(of('/actors/Counter/{id}/method/add')).toBeGreaterThan(0);
    const { shop } = await scrapeAll();
    expect(sumOf(shop, 'dapr_resiliency_activations_total', { target: 'app_worker', policy: 'retry' })).toBe(4);
  }, 20_000);
}, 30_000);
