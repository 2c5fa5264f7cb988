import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { NetworkCollector } from '../../../model/telemetry.js';
import { trustedAuthorities } from './trust.js';

export function otlpHttp({ url, headers, timeoutMs }: NetworkCollector): OTLPTraceExporter {
  const ca = url.startsWith('https:') ? trustedAuthorities() : undefined;
  return new OTLPTraceExporter({
    url,
    headers: { ...headers },
    timeoutMillis: timeoutMs,
    ...(ca ? { httpAgentOptions: { ca: [...ca], keepAlive: true } } : {}),
  });
}
