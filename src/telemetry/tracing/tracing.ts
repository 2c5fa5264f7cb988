import type { TracingSettings } from '../../model/telemetry.js';
import type { Logger } from '../logger.js';
import type { SpanPipeline } from './pipeline.js';
import type { Tracer } from './tracer.js';

/** Tracing of one sidecar: its own spans and its Envoy's, to the collectors that the Configuration names now. */
export interface Tracing {
  /** Undefined: nothing is traced. */
  tracer(): Tracer | undefined;
  /** Takes what Envoy exports: OTLP's ExportTraceServiceRequest. Never blocks; while nothing is traced, and when too many wait, spans are dropped. */
  takeEnvoySpans(batch: Uint8Array): void;
  /** Follows the Configuration; what is the same as before changes nothing. Spans made so far still go to the old collectors. */
  configure(settings: TracingSettings | undefined): Promise<void>;
  /** Sends what is left, for at most {@link CLOSE_MS}. Idempotent. */
  close(): Promise<void>;
}

const CLOSE_MS = 3000;

/** @returns tracing that is off until it is configured: OpenTelemetry's libraries are loaded then and not before */
export function createTracing(appId: string, logger: Logger): Tracing {
  let settled = '';
  let pipeline: SpanPipeline | undefined;
  const closing = new Set<Promise<void>>();
  const retire = (old: SpanPipeline | undefined) => {
    if (!old) return;
    const done: Promise<void> = old.close(CLOSE_MS).finally(() => closing.delete(done));
    closing.add(done);
  };
  return {
    tracer: () => pipeline,
    takeEnvoySpans: (batch) => pipeline?.takeEnvoySpans(batch),
    async configure(settings) {
      const key = JSON.stringify(settings ?? null);
      if (key === settled) return;
      const make = settings && (await import('./pipeline.js')).createPipeline;
      const next = make && (await make(settings, appId, logger));
      retire(pipeline);
      pipeline = next;
      settled = key;
      if (settings)
        logger.info('tracing', { collectors: settings.collectors.map(({ kind }) => kind).join(), rate: settings.samplingRate });
    },
    async close() {
      settled = '';
      retire(pipeline);
      pipeline = undefined;
      await Promise.all(closing);
    },
  };
}
