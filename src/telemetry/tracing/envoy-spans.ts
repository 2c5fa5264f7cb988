import { type Attributes, createTraceState, type HrTime, type SpanContext, SpanKind, type SpanStatus } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { type AnyValue, type Span, SpanBatch } from '../../gen/weft/telemetry/v1/otlp.js';
import { describeCall } from './envoy-call.js';

export interface EnvoySpansOf {
  readonly appId: string;
  readonly resource: Resource;
}

const SCOPE = { name: 'weft.envoy' };

/** @returns what Envoy's tracer exported, named as Dapr names such spans (reference §8), and without what may be secret. @throws Error when `batch` is no OTLP */
export function* readEnvoySpans(batch: Uint8Array, of: EnvoySpansOf): Generator<ReadableSpan> {
  for (const { scopeSpans } of SpanBatch.decode(batch).resourceSpans)
    for (const { spans } of scopeSpans)
      for (const span of spans) {
        const read = readSpan(span, of);
        if (read) yield read;
      }
}

/** OTLP numbers kinds from 1. */
const KINDS = [SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER];

/** @returns undefined for what is never traced: questions after health */
function readSpan(span: Span, { appId, resource }: EnvoySpansOf): ReadableSpan | undefined {
  const own: SpanContext = {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    traceFlags: 1,
    ...(span.traceState ? { traceState: createTraceState(span.traceState) } : {}),
  };
  const [startTime, endTime] = [time(span.startTimeUnixNano), time(span.endTimeUnixNano)];
  const kind = KINDS[span.kind] ?? SpanKind.INTERNAL;
  const tags = new Map(span.attributes.map(({ key, value }) => [key, textOf(value)]));
  const call = describeCall(tags, { appId, inbound: kind === SpanKind.SERVER });
  if (!call) return undefined;
  const { name, attributes } = call;
  const parent = span.parentSpanId.length > 0 ? { ...own, spanId: hex(span.parentSpanId), isRemote: true } : undefined;
  return {
    name,
    kind,
    spanContext: () => own,
    ...(parent ? { parentSpanContext: parent } : {}),
    startTime,
    endTime,
    duration: since(startTime, endTime),
    status: statusOf(span, attributes),
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** OTLP's code 2 is an error, as is the SDK's. */
function statusOf({ status }: Span, attributes: Attributes): SpanStatus {
  const failed = status?.code === 2 || Number(attributes['dapr.status_code']) >= 500;
  return failed ? { code: 2, ...(status?.message ? { message: status.message } : {}) } : { code: 0 };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** @param nanos eight bytes that the decoder took for a float */
function time(nanos: number): HrTime {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, nanos);
  const value = view.getBigUint64(0);
  return [Number(value / 1_000_000_000n), Number(value % 1_000_000_000n)];
}

function since([seconds, nanos]: HrTime, [endSeconds, endNanos]: HrTime): HrTime {
  const between = (endSeconds - seconds) * 1e9 + endNanos - nanos;
  return between > 0 ? [Math.floor(between / 1e9), between % 1e9] : [0, 0];
}

function textOf(value: AnyValue | undefined): string {
  const held = value?.value;
  return held === undefined ? '' : String(held.value);
}
