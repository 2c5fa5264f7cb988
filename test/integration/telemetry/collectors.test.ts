import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { type SpanCollector, startSpanCollector } from '../../support/span-collector.js';
import { callThrough, startTracedMesh, type TracedMesh } from '../../support/traced-mesh.js';
import { createWebAuthority } from '../../support/web-certificates.js';
import type { CliProcess } from '../../support/weft-cli.js';

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

const zipkin = () => `  tracing: {samplingRate: "1", zipkin: {endpointAddress: "https://${host(collector.http)}/api/v2/spans"}}`;

it('gives Zipkin its spans over TLS, its certificate checked against NODE_EXTRA_CA_CERTS', async () => {
  const mesh = await startTracedMesh(zipkin(), { door: 'envoy', env: { NODE_EXTRA_CA_CERTS: ca } });
  try {
    const turn = await callThrough(mesh);
    const traceId = String(turn.headers.traceparent).slice(3, 35);
    const names = ['CallLocal/worker/work', '/v1.0/state/statestore', 'CallActor/Counter/add'];
    await collector.until((spans) => {
      const own = spans.filter((span) => span.traceId === traceId).map(({ name }) => name.toLowerCase());
      return names.every((name) => own.includes(name.toLowerCase())) ? true : undefined;
    });
  } finally {
    await mesh.close();
  }
}, 60_000);

it.each([
  ['OTLP', () => tracing('http')],
  ['Zipkin', zipkin],
] as const)(
  'sends nothing to a collector whose certificate nobody vouches for: %s',
  async (_, spec) => {
    const before = { spans: collector.spans.length, refused: collector.refused() };
    const mesh = await startTracedMesh(spec(), { door: 'service' });
    try {
      await callThrough(mesh);
      await eventually(() => expect(collector.refused()).toBeGreaterThan(before.refused), 15_000);
      expect(collector.spans.length).toBe(before.spans);
    } finally {
      await mesh.close();
    }
  },
  60_000,
);

it('has the spans of the last calls before a sidecar that is stopped ends', async () => {
  const mesh = await startTracedMesh(tracing('http'), { door: 'envoy', env: { SSL_CERT_FILE: ca } });
  try {
    const traceIds: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const turn = await callThrough(mesh);
      traceIds.push(String(turn.headers.traceparent).slice(3, 35));
    }
    for (const { cli } of [mesh.shop, mesh.worker]) cli.signal('SIGTERM');
    for (const { cli } of [mesh.shop, mesh.worker]) await cli.exit();
    const seen = (service: string, traceId: string) =>
      collector.spans
        .filter((span) => span.traceId === traceId && span.service === service)
        .map(({ name, kind }) => `${kind} ${name}`);
    // Envoy's own, at the caller and at the callee.
    for (const traceId of traceIds) {
      expect(seen('shop', traceId)).toContain('client CallLocal/worker/work');
      expect(seen('worker', traceId)).toContain('server CallLocal/worker/work');
    }
  } finally {
    await mesh.close();
  }
}, 60_000);

it.each([
  ['JSON', ['--log-as-json'], (line: string) => JSON.parse(line) as Record<string, unknown>],
  ['text', [], readLogfmt],
] as const)(
  'writes each span as one line of the log to the terminal: %s',
  async (_, args, read) => {
    const mesh = await startTracedMesh('  tracing: {samplingRate: "1", stdout: true}', { door: 'service', args });
    try {
      const turn = await callThrough(mesh);
      const traceId = String(turn.headers.traceparent).slice(3, 35);
      const spans = (cli: CliProcess) =>
        linesOf(cli)
          .map(read)
          .filter(({ msg, trace_id }) => msg === 'span' && trace_id === traceId);
      // Envoy's, and the filter service's.
      await eventually(() => {
        expect(spans(mesh.shop.cli)).toContainEqual(
          expect.objectContaining({ span: 'CallLocal/worker/work', kind: 'client', service: 'shop', app_id: 'shop' }),
        );
        expect(spans(mesh.worker.cli)).toContainEqual(
          expect.objectContaining({ span: '/v1.0/state/statestore', parent_id: expect.stringMatching(/^[0-9a-f]{16}$/) }),
        );
      }, 15_000);
    } finally {
      await mesh.close();
    }
  },
  60_000,
);

/** Whole ones: the last may still be on its way. */
const linesOf = (cli: CliProcess) =>
  cli
    .text()
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '');

/** @throws Error at a line that is not logfmt */
function readLogfmt(line: string): Record<string, unknown> {
  if (!/^(?:[\w.]+=(?:"(?:[^"\\]|\\.)*"|\S+)(?: |$))+$/.test(line)) throw new Error(`no logfmt: ${line}`);
  const pairs = line.matchAll(/([\w.]+)=("(?:[^"\\]|\\.)*"|\S+)/g);
  return Object.fromEntries([...pairs].map(([, name, value = '']) => [name, value.startsWith('"') ? JSON.parse(value) : value]));
}
