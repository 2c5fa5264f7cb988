import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inOrder, type SeenSpan, type SpanCollector, startSpanCollector } from '../../support/span-collector.js';
import { callThrough, hopsOfCall, startTracedMesh, type TracedMesh } from '../../support/traced-mesh.js';

const show = ({ service, kind, name }: SeenSpan) => `${service} ${kind} ${name}`;

const doors = [
  { door: 'service', protocol: 'grpc' },
  { door: 'envoy', protocol: 'http' },
] as const;

describe.each(doors)(
  'one trace over call, state, publish, delivery and actor ($door door, OTLP over $protocol)',
  ({ door, protocol }) => {
    let collector: SpanCollector;
    let mesh: TracedMesh;
    beforeAll(async () => {
      collector = await startSpanCollector();
      const otel = `{protocol: ${protocol}, endpointAddress: "${collector[protocol]}", isSecure: false, headers: [{name: x-token, value: sesame}]}`;
      mesh = await startTracedMesh(`  tracing: {samplingRate: "1", otel: ${otel}}`, { door });
    }, 60_000);
    afterAll(async () => {
      await mesh?.close();
      await collector?.close();
    });

    it('connects every hop, each with one span, in the names that Dapr has', async () => {
      const turn = await callThrough(mesh);
      const traceId = String(turn.headers.traceparent).slice(3, 35);
      const last = String(turn.headers.traceparent).slice(36, 52);
      const trace = await collector.until((spans) => {
        const own = spans.filter((span) => span.traceId === traceId);
        return own.length >= hopsOfCall(door).length && own.some(({ parentId }) => parentId === '')
          ? inOrder(own, traceId)
          : undefined;
      });
      expect(trace.map(show)).toEqual(hopsOfCall(door));
      expect(trace.at(-1)?.spanId, 'what the app continues is the turn').toBe(last);
      expect(turn.headers.traceparent).toMatch(/-01$/);
    }, 30_000);

    it("tells in Dapr's attributes what was called, and nothing of a query", async () => {
      const turn = await callThrough(mesh);
      const traceId = String(turn.headers.traceparent).slice(3, 35);
      const call = await collector.until((spans) => spans.find((span) => span.traceId === traceId && span.parentId === ''));
      expect(call.attributes).toMatchObject({
        'dapr.api': 'GET /work',
        'dapr.protocol': 'http',
        'dapr.status_code': '200',
        'dapr.invoke_method': 'work',
        'net.peer.name': 'worker',
      });
      expect(JSON.stringify(collector.spans.map(({ name, attributes }) => [name, attributes]))).not.toContain('hidden');
    }, 30_000);

    it('keeps what the caller decided, its tracestate and its baggage', async () => {
      const unrecorded = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
      const recorded = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
      const first = await callThrough(mesh, { traceparent: unrecorded, tracestate: 'vendor=1', baggage: 'tenant=blue' });
      expect(first.headers.traceparent).toMatch(/^00-a{32}-[\da-f]{16}-00$/);
      const second = await callThrough(mesh, { traceparent: recorded, tracestate: 'vendor=1', baggage: 'tenant=blue' });
      expect(second.headers).toMatchObject({ tracestate: 'vendor=1' });
      const work = mesh.workerApp.seen.filter(({ url }) => url.startsWith('/work')).at(-1);
      expect(work?.headers).toMatchObject({ baggage: 'tenant=blue', tracestate: 'vendor=1' });
      const last = String(second.headers.traceparent).slice(36, 52);
      const trace = await collector.until((spans) =>
        spans.some(({ spanId }) => spanId === last) && spans.some(({ parentId }) => parentId === 'd'.repeat(16))
          ? inOrder(spans, 'c'.repeat(32), 'd'.repeat(16))
          : undefined,
      );
      expect(trace[0]?.name).toBe('CallLocal/worker/work');
      expect(trace.every(({ state }) => state === 'vendor=1')).toBe(true);
      expect(collector.spans.filter((span) => span.traceId === 'a'.repeat(32))).toEqual([]);
    }, 30_000);

    it('sends the collector its token, which stands in no configuration that can be looked at', async () => {
      await callThrough(mesh);
      await collector.until((spans) => spans[0]);
      expect(collector.headers.every((headers) => String(headers['x-token']) === 'sesame')).toBe(true);
      const { text } = await mesh.mesh.world.run(['proxy-config', 'shop']);
      expect(text).toContain('OpenTelemetryConfig');
      expect(text).not.toContain('sesame');
    }, 30_000);
  },
);
