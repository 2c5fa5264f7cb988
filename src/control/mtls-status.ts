import { X509Certificate } from 'node:crypto';
import type { IssuedCertificate } from './ca/issued.js';
import type { MeshIdentity } from './ca/mesh-identity.js';
import { signingRoot } from './ca/root-store.js';

/** A root as `weft mtls` shows it. */
export interface RootStatus {
  readonly subject: string;
  readonly serial: string;
  /** SHA-256, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly notAfterMs: number;
  /** `next`: trusted already, signs later; `retiring`: trusted until its last certificate has ended. */
  readonly state: 'signing' | 'next' | 'retiring' | 'anchor';
}

/** What `/v1/mtls` answers. */
export type MtlsStatus =
  | { readonly enabled: false }
  | {
      readonly enabled: true;
      readonly trustDomain: string;
      readonly certificateTtlMs: number;
      readonly roots: readonly RootStatus[];
      /** PEM; public. */
      readonly rootsPem: string;
      readonly certificates: readonly IssuedCertificate[];
    };

/** @returns what people may see of the certificate authority; never a key */
export function mtlsStatus(identity: MeshIdentity | undefined, nowMs = Date.now()): MtlsStatus {
  if (!identity) return { enabled: false };
  const { ca, issued } = identity;
  const rootsPem = ca.trusted();
  return {
    enabled: true,
    trustDomain: ca.trustDomain,
    certificateTtlMs: ca.leafTtlMs,
    roots: certificatesIn(rootsPem).map((certificate) => rootStatus(certificate, ca.roots(), nowMs)),
    rootsPem,
    certificates: issued.all(),
  };
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const certificatesIn = (pem: string): readonly X509Certificate[] =>
  (pem.match(PEM_BLOCK) ?? []).map((block) => new X509Certificate(block));

function rootStatus(certificate: X509Certificate, roots: ReturnType<MeshIdentity['ca']['roots']>, nowMs: number): RootStatus {
  const { fingerprint256: fingerprint, serialNumber: serial } = certificate;
  const isIt = (pem: string) => new X509Certificate(pem).fingerprint256 === fingerprint;
  const root = roots.find(({ certificatePem }) => isIt(certificatePem));
  const signing = signingRoot({ trustDomain: '', roots }, nowMs);
  const state = root === undefined ? 'anchor' : root === signing ? 'signing' : root.signsFromMs > nowMs ? 'next' : 'retiring';
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    serial,
    fingerprint,
    notAfterMs: Date.parse(certificate.validTo),
    state,
  };
}
