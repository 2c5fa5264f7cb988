import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

/**
 * Where a control plane's identity service listens, for sidecars of the same user: a name in the control plane's private directory that
 * follows from its gRPC address, so that a sidecar needs no flag and several control planes on one machine never mix.
 */

const EVERYWHERE = new Set(['', '0.0.0.0', '::']);
const NAMES: Readonly<Record<string, string>> = { localhost: '127.0.0.1' };

/** @returns the socket of the control plane that listens on `host:port` */
export function identitySocket(directory: string, host: string, port: number): string {
  const name = EVERYWHERE.has(host) ? 'any' : (NAMES[host] ?? host).replaceAll(':', '_');
  return join(directory, `identity-${name}-${port}.sock`);
}

/** @returns every socket that a control plane reached at `host:port` may have; it is only looked for, so none need exist */
export function identitySockets(directory: string, host: string, port: number): readonly string[] {
  const exact = identitySocket(directory, host, port);
  return isLocal(NAMES[host] ?? host) ? [exact, identitySocket(directory, '0.0.0.0', port)] : [exact];
}

function isLocal(host: string): boolean {
  if (host.startsWith('127.') || host === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === host));
}
