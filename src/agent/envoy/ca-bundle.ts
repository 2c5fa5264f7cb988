import { existsSync } from 'node:fs';

/** Where systems keep the certificate authorities that they trust: Debian and Alpine, Red Hat, SUSE, macOS. */
const PLACES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** @returns the file with the trusted CAs (PEM): what `SSL_CERT_FILE` names, else the system's; undefined: there is none */
export function findCaBundle(
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): string | undefined {
  return [env.SSL_CERT_FILE, ...PLACES].find((path) => path !== undefined && path !== '' && exists(path));
}
