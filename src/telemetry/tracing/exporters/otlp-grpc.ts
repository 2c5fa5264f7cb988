import { credentials, Metadata } from '@grpc/grpc-js';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import type { NetworkCollector } from '../../../model/telemetry.js';
import { trustedAuthorities } from './trust.js';

export function otlpGrpc({ url, headers, timeoutMs }: NetworkCollector): OTLPTraceExporter {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const roots = trustedAuthorities();
  const secure = url.startsWith('https:')
    ? credentials.createSsl(roots ? Buffer.from(roots.join('\n')) : null)
    : credentials.createInsecure();
  return new OTLPTraceExporter({ url, metadata, credentials: secure, timeoutMillis: timeoutMs });
}
