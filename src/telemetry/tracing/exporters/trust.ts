import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { messageOf } from '../../../errors.js';

/** OpenTelemetry's own, and the one that programs in Go read, daprd too. */
const VARIABLES = ['OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CERTIFICATE', 'SSL_CERT_FILE'];

/**
 * @returns the certificate authorities (PEM) that a collector's certificate is checked against: Node's, and those of the file that the
 * environment names; undefined: it names none @throws Error that names variable and remedy
 */
export function trustedAuthorities(env: NodeJS.ProcessEnv = process.env): readonly string[] | undefined {
  const variable = VARIABLES.find((name) => env[name]);
  if (!variable) return undefined;
  try {
    return [...rootCertificates, readFileSync(env[variable] ?? '', 'utf8')];
  } catch (error) {
    throw new Error(`${variable}: ${messageOf(error)}; name a file with certificates (PEM)`);
  }
}
