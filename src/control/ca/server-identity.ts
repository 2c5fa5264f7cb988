import { webcrypto } from 'node:crypto';
import { messageOf } from '../../errors.js';
import { exportPrivateKey, generateKeyPair, SIGNING_ALGORITHM, x509 } from '../../lib/x509.js';
import { CONTROL_PLANE } from '../../model/spiffe.js';
import type { Logger } from '../../telemetry/logger.js';
import type { CertificateAuthority } from './certificate-authority.js';

/** What a TLS server needs; PEM. */
export interface TlsMaterial {
  /** Secret. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** The control plane's own certificate, kept fresh. */
export interface ServerIdentity {
  current(): TlsMaterial;
  /** @returns stop listening */
  onChange(listener: () => void): () => void;
  close(): void;
}

const RENEW_AT = 0.7;
const RETRY_MS = 2_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Signs a certificate for the control plane itself and renews it at 70 % of its lifetime, with a new key each time. */
export async function startServerIdentity(ca: CertificateAuthority, logger: Logger): Promise<ServerIdentity> {
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const plan = (ms: number) => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void renew(), Math.min(ms, MAX_TIMER_MS)).unref();
  };
  const obtain = async () => {
    const { key, cert, notAfter } = await newCertificate(ca);
    plan((notAfter.getTime() - Date.now()) * RENEW_AT);
    return { key, cert };
  };
  const renew = async () => {
    try {
      own = await obtain();
      changed();
    } catch (error) {
      logger.error('the control plane could not renew its own certificate', { error: messageOf(error) });
      plan(RETRY_MS);
    }
  };
  let own = await obtain();
  const stopWatching = ca.onTrustChange(changed);
  return {
    current: () => ({ ...own, ca: ca.trusted() }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      stopWatching();
      listeners.clear();
    },
  };
}

async function newCertificate(ca: CertificateAuthority) {
  const keys = await generateKeyPair();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: 'O=Weft', keys, signingAlgorithm: SIGNING_ALGORITHM },
    webcrypto as never,
  );
  const { chainPem, notAfter } = await ca.sign(new Uint8Array(csr.rawData), CONTROL_PLANE);
  return { key: await exportPrivateKey(keys.privateKey), cert: chainPem, notAfter };
}
