import { SpanKind } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../../logger.js';

/** OpenTelemetry's number for an export that went well; its own constant is in a package that nothing else here needs. */
const SUCCESS = 0;

/** @returns what writes a line of the log for each span, as daprd does: whoever reads the log as JSON can read those lines too */
export const toLog = (logger: Logger): SpanExporter => ({
  export(spans, done) {
    for (const span of spans) logger.info('span', fieldsOf(span));
    done({ code: SUCCESS });
  },
  shutdown: () => Promise.resolve(),
});

function fieldsOf(span: ReadableSpan): Record<string, unknown> {
  const { traceId, spanId } = span.spanContext();
  const { startTime, duration, status } = span;
  return {
    span: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    service: span.resource.attributes['service.name'],
    trace_id: traceId,
    span_id: spanId,
    ...(span.parentSpanContext ? { parent_id: span.parentSpanContext.spanId } : {}),
    start: new Date(startTime[0] * 1000 + startTime[1] / 1e6).toISOString(),
    duration_ms: duration[0] * 1000 + duration[1] / 1e6,
    ...(status.code === 2 ? { failed: status.message ?? true } : {}),
    attributes: span.attributes,
  };
}
