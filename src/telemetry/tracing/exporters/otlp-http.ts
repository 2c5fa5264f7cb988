import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { NetworkCollector } from '../../../model/telemetry.js';

export const otlpHttp = ({ url, headers, timeoutMs }: NetworkCollector): OTLPTraceExporter =>
  new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs });
