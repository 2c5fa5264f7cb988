import { ConsoleSpanExporter, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { NetworkCollector, SpanCollector } from '../../../model/telemetry.js';

/** One file a library: only what is needed is loaded. */
const KINDS: Readonly<Record<NetworkCollector['kind'], () => Promise<(collector: NetworkCollector) => SpanExporter>>> = {
  'otlp-grpc': async () => (await import('./otlp-grpc.js')).otlpGrpc,
  'otlp-http': async () => (await import('./otlp-http.js')).otlpHttp,
  zipkin: async () => (await import('./zipkin.js')).zipkin,
};

/** @returns OpenTelemetry's exporter for `collector` */
export async function exporterFor(collector: SpanCollector): Promise<SpanExporter> {
  if (collector.kind === 'stdout') return new ConsoleSpanExporter();
  return (await KINDS[collector.kind]())(collector);
}
