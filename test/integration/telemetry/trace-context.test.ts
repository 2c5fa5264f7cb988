import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { InvokeServiceRequest } from '../../../src/gen/dapr/proto/runtime/v1/invoke.js';
import { traceparentBytes } from '../../../src/telemetry/tracing/context.js';
import { eventually } from '../../support/eventually.js';
import { inOrder, type SpanCollector, startSpanCollector } from '../../support/span-collector.js';
import { callThrough, startTracedMesh, type TracedMesh } from '../../support/traced-mesh.js';

const CALLER = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

const workHeaders = ({ workerApp }: TracedMesh) => workerApp.seen.filter(({ url }) => url.startsWith('/work')).at(-1)?.headers;
const eventHeaders = ({ workerApp }: TracedMesh) => workerApp.seen.filter(({ url }) => url === '/orders').at(-1)?.headers;

describe('tracing that comes and goes with the Configuration', () => {
  let collector: SpanCollector;
  let mesh: TracedMesh;
  const zipkin = () => `  tracing: {samplingRate: "1", zipkin: {endpointAddress: "http://${collector.http}/api/v2/spans"}}`;
  beforeAll(async () => {
    collector = await startSpanCollector();
    mesh = await startTracedMesh(
      `  tracing: {samplingRate: "0", otel: {endpointAddress: "${collector.grpc}", isSecure: false}}`,
      {
        door: 'envoy',
      },
    );
  }, 60_000);
  afterAll(async () => {
    await mesh?.close();
    await collector?.close();
  });

  it('makes no span at a rate of 0 and passes what the caller sent', async () => {
    const turn = await callThrough(mesh, { traceparent: CALLER, tracestate: 'vendor=1' });
    expect(workHeaders(mesh)).toMatchObject({ traceparent: CALLER, tracestate: 'vendor=1' });
    expect(turn.headers).toMatchObject({ traceparent: CALLER, tracestate: 'vendor=1' });
  }, 30_000);

  it('starts without a restart, with Zipkin', async () => {
    mesh.configure(zipkin());
    await eventually(async () => {
      await callThrough(mesh);
      if (!['shop', 'worker'].every((app) => collector.spans.some(({ service }) => service === app)))
        throw new Error('not traced yet');
    }, 10_000);
    await collector.until((spans) =>
      spans.find(({ service, name }) => service === 'shop' && name.toLowerCase() === 'calllocal/worker/work'),
    );
    // The caller's decision was kept while tracing was off: there is no span of that trace.
    expect(collector.spans.filter(({ traceId }) => traceId === 'a'.repeat(32))).toEqual([]);
  }, 40_000);

  const ids = { long: '1'.repeat(32), short: '2'.repeat(16), span: '3'.repeat(16) };
  it.each([
    ['one header', { b3: `${ids.long}-${ids.span}-1` }, ids.long],
    ['one header with a short trace id and debug', { b3: `${ids.short}-${ids.span}-d` }, `${'0'.repeat(16)}${ids.short}`],
    ['several headers', { 'x-b3-traceid': '4'.repeat(32), 'x-b3-spanid': ids.span, 'x-b3-sampled': '1' }, '4'.repeat(32)],
  ])(
    'continues a trace that B3 tells in %s, in W3C form',
    async (_name, headers, traceId) => {
      const turn = await callThrough(mesh, headers);
      expect(workHeaders(mesh)?.traceparent).toMatch(new RegExp(`^00-${traceId}-[\\da-f]{16}-01$`));
      expect(turn.headers.traceparent).toContain(traceId);
      const last = String(turn.headers.traceparent).slice(36, 52);
      const trace = await collector.until((spans) =>
        spans.some(({ spanId }) => spanId === last) &&
        spans.some((span) => span.traceId === traceId && span.parentId === ids.span)
          ? inOrder(spans, traceId, ids.span)
          : undefined,
      );
      expect(trace.length).toBeGreaterThan(8);
    },
    30_000,
  );

  it('does not record what a B3 caller does not record', async () => {
    const turn = await callThrough(mesh, { b3: `${'5'.repeat(32)}-${ids.span}-0` });
    expect(turn.headers.traceparent).toMatch(/^00-5{32}-[\da-f]{16}-00$/);
  }, 30_000);

  it('continues the trace of a gRPC client that sends it in binary form', async () => {
    const client = new DaprClient(`127.0.0.1:${mesh.shop.grpcPort}`, credentials.createInsecure());
    try {
      const metadata = new Metadata();
      metadata.set('grpc-trace-bin', traceparentBytes(`00-${'6'.repeat(32)}-${ids.span}-01`));
      metadata.set('traceparent', `00-${'7'.repeat(32)}-${ids.span}-01`);
      const request = InvokeServiceRequest.fromPartial({ id: 'worker', message: { method: 'hello' } });
      await new Promise((resolve, reject) =>
        client.invokeService(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))),
      );
      const hello = mesh.workerApp.seen.filter(({ url }) => url === '/hello').at(-1);
      expect(hello?.headers.traceparent).toMatch(/^00-6{32}-[\da-f]{16}-01$/);
    } finally {
      client.close();
    }
  }, 30_000);

  it('refuses baggage that is none, and gives the client back what is', async () => {
    const send = (baggage: string) => fetch(`${mesh.shop.api}/v1.0/state/statestore/none`, { headers: { baggage } });
    const good = await send('tenant=blue;p=1,user=a%20b');
    expect(good.headers.get('baggage')).toBe('tenant=blue;p=1,user=a%20b');
    const bad = await send('no members');
    expect([bad.status, await bad.text()]).toEqual([400, 'invalid baggage header: a member is not key=value']);
  });

  it('stops without a restart', async () => {
    mesh.configure('  tracing: {samplingRate: "0"}');
    await eventually(async () => {
      await callThrough(mesh, { traceparent: CALLER });
      if (workHeaders(mesh)?.traceparent !== CALLER) throw new Error('still traced');
    }, 10_000);
  }, 30_000);
});

describe('beside a mesh that makes the spans', () => {
  let collector: SpanCollector;
  let mesh: TracedMesh;
  beforeAll(async () => {
    collector = await startSpanCollector();
    const tracing = `  tracing: {samplingRate: "1", otel: {endpointAddress: "${collector.grpc}", isSecure: false}}`;
    mesh = await startTracedMesh(tracing, {
      door: 'service',
      profile: '  mesh: {provider: istio, mtls: own, tracing: defer}',
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${collector.grpc}` },
    });
  }, 60_000);
  afterAll(async () => {
    await mesh?.close();
    await collector?.close();
  });

  it('makes no span of its own, and every header and event keeps the trace that it came with', async () => {
    const sent = {
      traceparent: CALLER,
      tracestate: 'vendor=1',
      baggage: 'tenant=blue',
      b3: `${'8'.repeat(32)}-${'9'.repeat(16)}-1`,
    };
    const turn = await callThrough(mesh, sent);
    expect(workHeaders(mesh)).toMatchObject(sent);
    expect(eventHeaders(mesh)).toMatchObject({ traceparent: CALLER, tracestate: 'vendor=1' });
    expect(turn.headers).toMatchObject({ traceparent: CALLER, tracestate: 'vendor=1' });
    // What a sidecar still held would come when it stops.
    for (const sidecar of [mesh.shop, mesh.worker]) sidecar.cli.signal('SIGTERM');
    await Promise.all([mesh.shop.cli.exit(), mesh.worker.cli.exit()]);
    expect(collector.spans).toEqual([]);
  }, 60_000);
});
