import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { type SpanCollector, startSpanCollector } from '../../support/span-collector.js';
import { callThrough, startTracedMesh, type TracedMesh } from '../../support/traced-mesh.js';
import { createWebAuthority } from '../../support/web-certificates.js';

/** Where spans go: collectors that speak TLS, and a terminal. */

let collector: SpanCollector;
let directory: string;
let ca: string;
const host = (address: string) => address.replace('127.0.0.1', 'localhost');
const tracing = (protocol: 'grpc' | 'http') =>
  `  tracing: {samplingRate: "1", otel: {protocol: ${protocol}, endpointAddress: "${host(collector[protocol])}", headers: [{name: x-token, value: sesame}]}}`;

beforeAll(async () => {
  const authority = await createWebAuthority();
  collector = await startSpanCollector(await authority.issue('localhost'));
  directory = mkdtempSync(join(tmpdir(), 'weft-ca-'));
  ca = join(directory, 'ca.pem');
  writeFileSync(ca, authority.ca);
});
afterAll(async () => {
  await collector?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe.each([
  ['grpc', 'OTEL_EXPORTER_OTLP_CERTIFICATE'],
  ['http', 'SSL_CERT_FILE'],
] as const)('a collector that speaks TLS, OTLP over %s', (protocol, variable) => {
  let mesh: TracedMesh;
  afterAll(() => mesh?.close());
  it(`gets the spans of Envoy and filter service, its certificate checked against ${variable}`, async () => {
    mesh = await startTracedMesh(tracing(protocol), { door: 'service', env: { [variable]: ca } });
    const turn = await callThrough(mesh);
    const traceId = String(turn.headers.traceparent).slice(3, 35);
    const names = ['CallLocal/worker/work', '/v1.0/state/statestore', 'CallActor/Counter/add'];
    await collector.until((spans) => {
      const own = spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
      return names.every((name) => own.includes(name)) ? true : undefined;
    });
    expect(collector.headers.every((headers) => String(headers['x-token']) === 'sesame')).toBe(true);
  }, 60_000);
});

it('sends nothing to a collector whose certificate nobody vouches for', async () => {
  const before = collector.spans.length;
  const mesh = await startTracedMesh(tracing('http'), { door: 'service' });
  try {
    await callThrough(mesh);
    await eventually(() => expect(collector.refused()).toBeGreaterThan(0), 15_000);
    expect(collector.spans.length).toBe(before);
  } finally {
    await mesh.close();
  }
}, 60_000);

it('writes spans to the terminal', async () => {
  const mesh = await startTracedMesh('  tracing: {samplingRate: "1", stdout: true}', { door: 'service' });
  try {
    const turn = await callThrough(mesh);
    const traceId = String(turn.headers.traceparent).slice(3, 35);
    // Envoy's, and the filter service's.
    await mesh.shop.cli.until(new RegExp(`${traceId}[^]*?CallLocal/worker/work`));
    await mesh.worker.cli.until(new RegExp(`${traceId}[^]*?/v1.0/state/statestore`));
  } finally {
    await mesh.close();
  }
}, 60_000);
