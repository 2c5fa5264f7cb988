import type { PeerCertificate } from 'node:tls';

/** A certificate that an instance has, as people see it. */
export interface IssuedCertificate {
  readonly instanceId: string;
  /** SPIFFE ID. */
  readonly id: string;
  /** Upper-case hex. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The newest certificate of each instance. A restarted control plane learns them from its connections. */
export interface IssuedCertificates {
  note(certificate: IssuedCertificate): void;
  /** Those that are still valid, by id and instance. */
  all(): readonly IssuedCertificate[];
}

const MAX_INSTANCES = 20_000;

export function createIssuedCertificates(now: () => number = Date.now): IssuedCertificates {
  const newest = new Map<string, IssuedCertificate>();
  const prune = () => {
    for (const [id, { notAfterMs }] of newest) if (notAfterMs <= now() || newest.size > MAX_INSTANCES) newest.delete(id);
  };
  return {
    note(certificate) {
      const known = newest.get(certificate.instanceId);
      if (known && known.notAfterMs > certificate.notAfterMs) return;
      newest.delete(certificate.instanceId);
      newest.set(certificate.instanceId, { ...certificate, serial: certificate.serial.toUpperCase() });
      if (newest.size > MAX_INSTANCES) prune();
    },
    all() {
      prune();
      return [...newest.values()].sort((a, b) => compare(a.id, b.id) || compare(a.instanceId, b.instanceId));
    },
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** @returns what a connection's certificate tells */
export const certificateOf = (instanceId: string, id: string, certificate: PeerCertificate): IssuedCertificate => ({
  instanceId,
  id,
  serial: certificate.serialNumber,
  notBeforeMs: Date.parse(certificate.valid_from),
  notAfterMs: Date.parse(certificate.valid_to),
});
