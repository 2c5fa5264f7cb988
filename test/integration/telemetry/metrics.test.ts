import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

let mesh: Mesh;
let caller: SidecarProcess;
let callee: SidecarProcess;
let metricsPort: number;

beforeAll(async () => {
  mesh = await createMesh();
  metricsPort = await mesh.world.port();
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  callee = await mesh.sidecar({ appId: 'callee', appPort });
  caller = await mesh.sidecar({ appId: 'caller', args: ['--metrics-port', String(metricsPort)] });
  await Promise.all([caller.ready(), callee.ready()]);
}, 60_000);
afterAll(() => mesh?.close());

/** Envoy adds its histograms up every five seconds. */
const flushed = () => new Promise((resolve) => setTimeout(resolve, 6000));
const scrape = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
const lines = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`));

test('calls of the API, of the state store and of other apps are counted under the names that Dapr documents', async () => {
  await fetch(`${caller.api}/v1.0/state/statestore`, { method: 'POST', body: '[{"key":"a","value":1}]' });
  for (let i = 0; i < 3; i++) await (await fetch(`${caller.api}/v1.0/state/statestore/a`)).text();
  await fetch(`${caller.api}/v1.0/publish/pubsub/orders`, { method: 'POST', body: '{}' });
  for (let i = 0; i < 2; i++) await (await fetch(`${caller.api}/v1.0/invoke/callee/method/x`)).text();
  await eventually(async () => {
    const text = await scrape();
    expect(lines(text, 'dapr_http_server_request_count')).toContain(
      'dapr_http_server_request_count{method="GET",path="/v1.0/state/statestore",status="200",app_id="caller"} 3',
    );
    expect(lines(text, 'dapr_component_state_count')).toContain(
      'dapr_component_state_count{component="statestore",namespace="default",operation="get",success="true",app_id="caller"} 3',
    );
    expect(lines(text, 'dapr_component_pubsub_egress_count')).toContain(
      'dapr_component_pubsub_egress_count{component="pubsub",namespace="default",topic="orders",success="true",app_id="caller"} 1',
    );
    expect(lines(text, 'dapr_runtime_service_invocation_req_sent_total')).toContain(
      'dapr_runtime_service_invocation_req_sent_total{app_id="caller",dst_app_id="callee",dst_namespace="default",type="unary"} 2',
    );
    expect(lines(text, 'dapr_runtime_service_invocation_res_recv_total')).toContain(
      'dapr_runtime_service_invocation_res_recv_total{app_id="caller",dst_app_id="callee",dst_namespace="default",type="unary",src_app_id="callee",status="200"} 2',
    );
    expect(lines(text, 'dapr_runtime_service_invocation_res_recv_latency_ms_count').join()).toMatch(/dst_app_id="callee".* 2$/);
    expect(lines(text, 'dapr_runtime_mtls_init_total')).toEqual(['dapr_runtime_mtls_init_total{app_id="caller"} 1']);
    expect(Number(lines(text, 'weft_workload_cert_expiry_timestamp_seconds')[0]?.split(' ')[1]) * 1000).toBeGreaterThan(
      Date.now(),
    );
    expect(lines(text, 'dapr_runtime_component_loaded')).toEqual(['dapr_runtime_component_loaded{app_id="caller"} 2']);
  }, 20_000);
}, 60_000);

test('without increased cardinality the number of series does not grow with keys, paths and unknown names', async () => {
  const config = join(mesh.world.home, 'config.yaml');
  writeFileSync(
    config,
    'apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: few}\nspec: {metrics: {http: {increasedCardinality: false}}}\n',
  );
  metricsPort = await mesh.world.port();
  const few = await mesh.sidecar({ appId: 'few', args: ['--metrics-port', String(metricsPort), '--config', config] });
  await few.ready();
  const call = async (path: string) => (await fetch(`${few.api}${path}`)).text();
  const series = async () => new Set((await scrape()).split('\n').map((line) => line.replace(/ \S+$/, '')));
  const all = (n: string) => [
    `/v1.0/state/statestore/${n}`,
    `/v1.0/state/store${n}/a`,
    `/v1.0/invoke/callee/method/${n}`,
    `/v1.0/invoke/app${n}/method/a`,
  ];
  for (const path of all('first')) await call(path);
  await eventually(async () => expect(await scrape()).toContain('path="GetState",status="204"'), 10_000);
  await flushed();
  const before = await series();
  for (let i = 0; i < 30; i++) for (const path of all(`n${i}`)) await call(path);
  await flushed();
  expect([...(await series())].filter((line) => !before.has(line))).toEqual([]);
}, 60_000);
