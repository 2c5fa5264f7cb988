import type { SpiffeIdentity } from '../../model/spiffe.js';
import { type Svid, signSvid } from './authority.js';
import { type RootState, rotateRoot, saveRoots, signingRoot, trustedPem } from './root-store.js';

export interface CertificateAuthorityOptions {
  readonly state: RootState;
  /** Where rotated roots are kept; undefined for an own CA supplied as files, which its owner rotates. */
  readonly directory?: string;
  /** Lifetime of a leaf, milliseconds. */
  readonly leafTtlMs: number;
  /** How far a host's clock may be behind, milliseconds. */
  readonly clockSkewMs: number;
  readonly now?: () => Date;
}

export interface CertificateAuthority {
  readonly trustDomain: string;
  readonly leafTtlMs: number;
  /** @throws CsrRefused */
  sign(csr: Uint8Array, workload: Omit<SpiffeIdentity, 'trustDomain'>): Promise<Svid>;
  /** Every root to trust now, PEM. */
  trusted(): string;
  roots(): RootState['roots'];
  /** Calls back whenever `trusted` changes. @returns stop listening */
  onTrustChange(listener: () => void): () => void;
  /** Starts a root rotation: trusted at once, signing after `propagationMs`. @returns milliseconds since the epoch */
  rotate(propagationMs: number): Promise<{ readonly signsFromMs: number; readonly retiresMs: number }>;
  close(): void;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** @returns the mesh's certificate authority over one set of roots */
export function createCertificateAuthority(options: CertificateAuthorityOptions): CertificateAuthority {
  const now = options.now ?? (() => new Date());
  const listeners = new Set<() => void>();
  let state = options.state;
  let retire: NodeJS.Timeout | undefined;
  const changed = () => {
    for (const listener of listeners) listener();
  };
  // A retired root leaves the bundle when its last leaf is dead, not before and not never.
  const scheduleRetirement = () => {
    clearTimeout(retire);
    const ends = state.roots.map((root) => root.trustedUntilMs - now().getTime()).filter((ms) => ms > 0);
    if (ends.length < 2) return;
    retire = setTimeout(
      () => {
        changed();
        scheduleRetirement();
      },
      Math.min(Math.min(...ends) + 1, MAX_TIMER_MS),
    );
    retire.unref();
  };
  scheduleRetirement();

  return {
    trustDomain: state.trustDomain,
    leafTtlMs: options.leafTtlMs,
    sign: (csr, workload) =>
      signSvid(
        signingRoot(state, now().getTime()),
        csr,
        { trustDomain: state.trustDomain, ...workload },
        { ttlMs: options.leafTtlMs, clockSkewMs: options.clockSkewMs, now: now() },
      ),
    trusted: () => trustedPem(state, now().getTime()),
    roots: () => state.roots,
    onTrustChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async rotate(propagationMs) {
      if (options.directory === undefined)
        throw new Error('the CA was supplied as files: replace them and restart the control plane');
      state = await rotateRoot(state, now(), { propagationMs, leafTtlMs: options.leafTtlMs });
      saveRoots(options.directory, state);
      scheduleRetirement();
      changed();
      const signsFromMs = state.roots[0]?.signsFromMs ?? 0;
      return { signsFromMs, retiresMs: signsFromMs + options.leafTtlMs };
    },
    close() {
      clearTimeout(retire);
      listeners.clear();
    },
  };
}
