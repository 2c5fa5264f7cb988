import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { idOf, type SeriesSample, scrape, sumOf } from '../../support/series.js';

/** `Configuration.spec.metrics` on sidecars that run, and how many series traffic can make. */

let mesh: Mesh;
let caller: SidecarProcess;
const ports = { caller: 0, callee: 0 };
const file = () => join(mesh.world.home, 'config.yaml');
const configure = (metrics: string) =>
  writeFileSync(
    file(),
    `apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: metrics}\nspec:\n  metrics: ${metrics}\n`,
  );

beforeAll(async () => {
  mesh = await createMesh();
  configure('{}');
  const start = async (appId: 'caller' | 'callee', appPort: number) => {
    ports[appId] = await mesh.world.port();
    const args = ['--metrics-port', String(ports[appId]), '--config', file()];
    return mesh.sidecar({ appId, appPort, door: appId === 'caller' ? 'envoy' : 'service', args });
  };
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  const callee = await start('callee', appPort);
  caller = await start('caller', 0);
  await Promise.all([caller.ready(), callee.ready()]);
}, 60_000);
afterAll(() => mesh?.close());

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** On the connections of `agent`; without one on a connection of its own, which has the newest configuration of the listener. */
function call({ path, method = 'GET', headers = {}, body = '' }: Call, agent: Agent | false = false): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { 'content-length': String(Buffer.byteLength(body)), ...headers };
    const sent = request(`${caller.api}${path}`, { method, headers: all, agent }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const ofCaller = () => scrape(ports.caller);
const ofCallee = () => scrape(ports.callee);

it('counts calls by the paths that people name, at the caller and at the app', async () => {
  configure(
    '{ http: { increasedCardinality: false, pathMatching: ["/orders/{id}", "/orders/{id}/items/{item}", "/v1.0/state/{store}/{key}"] } }',
  );
  await eventually(async () => {
    expect(await call({ path: '/v1.0/invoke/callee/method/orders/7?x=1' })).toBe(200);
    const by = { method: 'GET', status: '200' };
    expect(
      sumOf(await ofCaller(), 'dapr_http_server_request_count', { ...by, path: '/v1.0/invoke/{app_id}/method/orders/{id}' }),
    ).toBeGreaterThan(0);
    expect(sumOf(await ofCallee(), 'dapr_http_client_completed_count', { ...by, path: '/orders/{id}' })).toBeGreaterThan(0);
  }, 20_000);
  const before = await ofCallee();
  const item = { method: 'PUT', path: '/orders/{id}/items/{item}', status: '200' };
  await call({ path: '/orders/8/items/3', method: 'PUT', headers: { 'dapr-app-id': 'callee' } });
  await call({ path: '/v1.0/invoke/callee/method/elsewhere' });
  await call({ path: '/v1.0/state/statestore/a' });
  await eventually(async () => {
    const after = await ofCallee();
    expect(sumOf(after, 'dapr_http_client_completed_count', item)).toBe(1);
    expect(sumOf(after, 'dapr_http_client_roundtrip_latency_count', { ...item, status: '' })).toBe(1);
    const others = (samples: readonly SeriesSample[]) =>
      sumOf(samples, 'dapr_http_client_completed_count', { path: 'CallLocal', status: '200' }) ?? 0;
    expect(others(after) - others(before)).toBe(1);
    const own = await ofCaller();
    expect(sumOf(own, 'dapr_http_server_request_count', { ...item, path: '/orders/{id}/items/{item}' })).toBe(1);
    expect(sumOf(own, 'dapr_http_server_request_count', { method: 'GET', path: '/v1.0/state/{store}/{key}' })).toBe(1);
  }, 20_000);
}, 60_000);

it('leaves verbs out, and writes paths of the API in their short form unless it is told not to', async () => {
  configure('{ http: { excludeVerbs: true } }');
  await eventually(async () => {
    await call({ path: '/v1.0/state/statestore/some-key' });
    const samples = await ofCaller();
    expect(sumOf(samples, 'dapr_http_server_request_count', { method: '', path: '/v1.0/state/statestore' })).toBeGreaterThan(0);
    expect(samples.some(({ labels }) => labels.path?.includes('some-key'))).toBe(false);
  }, 20_000);
  configure('{ http: { increasedCardinality: false } }');
  await eventually(async () => {
    await call({ path: '/v1.0/state/statestore/some-key' });
    const named = sumOf(await ofCaller(), 'dapr_http_server_request_count', { method: 'GET', path: 'GetState' });
    expect(named).toBeGreaterThan(0);
  }, 20_000);
}, 60_000);

it('has the buckets that people name, for what Envoy measures as well', async () => {
  configure('{ latencyDistributionBuckets: [20, 5000] }');
  const bounds = (samples: readonly SeriesSample[], name: string) => [
    ...new Set(samples.filter((sample) => sample.name === name).map(({ labels }) => labels.le)),
  ];
  await eventually(async () => {
    await call({ path: '/v1.0/state/statestore/a' });
    await call({ path: '/v1.0/invoke/callee/method/x' });
    const samples = await ofCaller();
    for (const name of ['dapr_http_server_latency', 'dapr_runtime_service_invocation_res_recv_latency_ms']) {
      expect(bounds(samples, `${name}_bucket`)).toEqual(['20', '5000', '+Inf']);
      expect(sumOf(samples, `${name}_bucket`, { le: '+Inf' })).toBe(sumOf(samples, `${name}_count`));
    }
  }, 20_000);
}, 30_000);

it('rewrites labels, and adds up what then is one series', async () => {
  configure(
    '{ rules: [{ name: dapr_component_pubsub_egress_count, labels: [{ name: topic, regex: { "$1-N": "(order)-\\\\d+" } }] }, { name: dapr_runtime_service_invocation_req_sent_total, labels: [{ name: dst_app_id, regex: { someone: "^callee$" } }] }] }',
  );
  await eventually(async () => {
    await call({ path: '/v1.0/invoke/callee/method/x' });
    const sent = sumOf(await ofCaller(), 'dapr_runtime_service_invocation_req_sent_total', { dst_app_id: 'someone' });
    expect(sent).toBeGreaterThan(0);
  }, 20_000);
  for (const n of [1, 2, 3]) await call({ path: `/v1.0/publish/pubsub/order-${n}`, method: 'POST', body: '{}' });
  await eventually(async () => {
    const samples = await ofCaller();
    expect(sumOf(samples, 'dapr_component_pubsub_egress_count', { topic: 'order-N' })).toBe(3);
    expect(sumOf(samples, 'dapr_component_pubsub_egress_count', { topic: 'order-1' })).toBeUndefined();
    // Only the series that the rule names.
    expect(sumOf(samples, 'dapr_component_pubsub_egress_latencies_count', { topic: 'order-1' })).toBe(1);
  }, 20_000);
}, 60_000);

it('counts errors only while it is to', async () => {
  configure('{ recordErrorCodes: true }');
  const errors = async () =>
    sumOf(await ofCaller(), 'dapr_error_code_total', { error_code: 'ERR_STATE_STORE_NOT_FOUND', category: 'state' });
  await eventually(async () => {
    await call({ path: '/v1.0/state/nosuch/a' });
    expect(await errors()).toBeGreaterThan(0);
  }, 20_000);
  configure('{ recordErrorCodes: false }');
  await eventually(async () => {
    const before = await errors();
    await call({ path: '/v1.0/state/nosuch/a' });
    expect(await errors()).toBe(before);
  }, 20_000);
}, 60_000);

it('is taken away and comes back', async () => {
  const status = async () => (await fetch(`http://127.0.0.1:${ports.caller}/metrics`)).status;
  configure('{ enabled: false }');
  await eventually(async () => expect(await status()).toBe(404), 20_000);
  configure('{ enabled: true }');
  await eventually(async () => expect(await status()).toBe(200), 20_000);
}, 60_000);

/** Each of these names something that nobody has named before. */
const ATTACKS: readonly ((n: number) => Call)[] = [
  (n) => ({ path: `/v1.0/invoke/callee/method/orders/${n}` }),
  (n) => ({ path: `/p${n}/q/${n}`, headers: { 'dapr-app-id': 'callee' } }),
  (n) => ({ path: `/v1.0/invoke/app${n}/method/a` }),
  (n) => ({ path: `/a/${n}`, headers: { 'dapr-app-id': `app${n}` } }),
  (n) => ({ path: `/v1.0/state/statestore/key${n}` }),
  (n) => ({ path: `/v1.0/state/store${n}/key`, method: 'POST', body: '[]' }),
  (n) => ({ path: `/v1.0/nothing${n}/at/all` }),
  (n) => ({ path: `/v1.0/publish/pubsub/topic${n}`, method: 'POST', body: '{}' }),
  (n) => ({ path: `/v1.0/actors/Type${n}/id${n}/method/m${n}`, method: 'PUT' }),
  (n) => ({ path: `/v1.0/invoke/callee/method/a${n}`, method: `VERB${n.toString(36).toUpperCase()}` }),
];
const CALLS = 10_000;
const CONNECTIONS = 16;

it.each([
  ['operations', '{ http: { increasedCardinality: false } }'],
  ['paths, as nobody says otherwise,', '{}'],
  ['paths, also named ones,', '{ recordErrorCodes: true, http: { pathMatching: ["/orders/{id}", "/v1.0/state/{store}/x"] } }'],
])(
  '%s: 10,000 calls that all name something new make no more series than half of them',
  async (what, settings) => {
    configure(settings);
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    let next = 0;
    const attack = async (until: number) => {
      const worker = async () => {
        while (next < until) {
          const n = next++;
          // A verb that nobody knows may end its connection.
          const make = ATTACKS[n % ATTACKS.length] as (n: number) => Call;
          await call(make(n), agent).catch(() => {});
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    };
    const ids = async () => new Set([...(await ofCaller()), ...(await ofCallee())].map(idOf));
    /** Envoy adds its histograms up every five seconds, so a series may be late. */
    const settled = async () => {
      let seen = await ids();
      let since = performance.now();
      while (performance.now() - since < 6000) {
        await new Promise((wake) => setTimeout(wake, 500));
        const now = await ids();
        if (now.size !== seen.size) since = performance.now();
        seen = now;
      }
      return seen;
    };
    await attack(CALLS / 2);
    const half = await settled();
    await attack(CALLS);
    agent.destroy();
    const all = await settled();
    expect([...all].filter((id) => !half.has(id))).toEqual([]);
    // Buckets are most of them: 37 for each distribution.
    expect(all.size).toBeLessThan(what === 'operations' ? 30_000 : 60_000);
  },
  180_000,
);
