import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { NetworkCollector, SpanCollector } from '../../../model/telemetry.js';
import type { Logger } from '../../logger.js';

/** One file a library: only what is needed is loaded. */
const KINDS: Readonly<Record<NetworkCollector['kind'], () => Promise<(collector: NetworkCollector) => SpanExporter>>> = {
  'otlp-grpc': async () => (await import('./otlp-grpc.js')).otlpGrpc,
  'otlp-http': async () => (await import('./otlp-http.js')).otlpHttp,
  zipkin: async () => (await import('./zipkin.js')).zipkin,
};

/** @returns OpenTelemetry's exporter for `collector`; for the terminal one of ours, since OpenTelemetry's writes many lines a span */
export async function exporterFor(collector: SpanCollector, logger: Logger): Promise<SpanExporter> {
  if (collector.kind === 'stdout') return (await import('./log.js')).toLog(logger);
  return (await KINDS[collector.kind]())(collector);
}
