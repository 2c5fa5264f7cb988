import {
  type Context,
  createTraceState,
  SpanKind as OtelKind,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor, type Span } from '@opentelemetry/sdk-trace-base';
import type { TracingSettings } from '../../model/telemetry.js';
import type { Logger } from '../logger.js';
import { isSampled, type TraceContext } from './context.js';
import { readEnvoySpans } from './envoy-spans.js';
import { exporterFor } from './exporters/index.js';
import type { RecordedSpan, SpanKind, SpanStart, Tracer } from './tracer.js';

/** From spans to collectors. Loaded when tracing is configured and not before: it is most of what OpenTelemetry needs. */
export interface SpanPipeline extends Tracer {
  takeEnvoySpans(batch: Uint8Array): void;
  /** Sends what is left within `deadlineMs`, then drops it. */
  close(deadlineMs: number): Promise<void>;
}

/** Spans that may wait for one collector; a batch; and how long the first of a batch waits for company. */
const QUEUE = 4096;
const BATCH = 512;
const DELAY_MS = 1000;

/** @returns the parts of OpenTelemetry's SDK that spans made by hand need. Its NodeSDK would add every exporter, metrics, logs and instrumentation. */
export async function createPipeline(
  { samplingRate, collectors }: TracingSettings,
  appId: string,
  logger: Logger,
): Promise<SpanPipeline> {
  const resource = resourceFromAttributes({ 'service.name': appId }).merge(detectResources({ detectors: [envDetector] }));
  const processors = await Promise.all(
    collectors.map(async (collector) => {
      const exportTimeoutMillis = collector.kind === 'stdout' ? DELAY_MS : collector.timeoutMs;
      const limits = { maxQueueSize: QUEUE, maxExportBatchSize: BATCH, scheduledDelayMillis: DELAY_MS, exportTimeoutMillis };
      return new BatchSpanProcessor(await exporterFor(collector, logger), limits);
    }),
  );
  // Who is recorded is decided before a span is made, so that those who are not cost nothing.
  const provider = new BasicTracerProvider({ resource, sampler: new AlwaysOnSampler(), spanProcessors: processors });
  const tracer = provider.getTracer('weft');

  return {
    start({ name, kind, parent }: SpanStart) {
      if (!(parent.traceparent ? isSampled(parent.traceparent) : Math.random() < samplingRate)) return undefined;
      return recorded(tracer.startSpan(name, { kind: KINDS[kind] }, contextOf(parent)) as Span);
    },
    takeEnvoySpans(batch) {
      try {
        for (const span of readEnvoySpans(batch, { appId, resource })) for (const processor of processors) processor.onEnd(span);
      } catch (error) {
        logger.warn('spans of Envoy could not be read', { error: String(error) });
      }
    },
    async close(deadlineMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([provider.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
};

function contextOf({ traceparent, tracestate }: TraceContext): Context {
  if (!traceparent) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    traceFlags: 1,
    isRemote: true,
    ...(tracestate ? { traceState: createTraceState(tracestate) } : {}),
  });
}

function recorded(span: Span): RecordedSpan {
  const { traceId, spanId, traceState }: SpanContext = span.spanContext();
  const tracestate = traceState?.serialize();
  return {
    trace: { traceparent: `00-${traceId}-${spanId}-01`, ...(tracestate ? { tracestate } : {}) },
    set(attributes) {
      for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(name, value);
    },
    end(problem) {
      if (problem !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
      span.end();
    },
  };
}
