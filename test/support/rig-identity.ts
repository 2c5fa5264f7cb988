import { createKeyAndCsr } from '../../src/agent/identity/csr.js';
import type { SdsServer } from '../../src/agent/identity/sds-server.js';
import { svidSecrets } from '../../src/agent/identity/svid-secrets.js';
import { startSvidSource } from '../../src/agent/identity/svid-source.js';
import { createRoot } from '../../src/control/ca/authority.js';
import { createCertificateAuthority } from '../../src/control/ca/certificate-authority.js';
import { silentLogger } from '../../src/telemetry/logger.js';

export interface AppIdentity {
  readonly namespace: string;
  readonly appId: string;
}

/** A certificate authority that signs for whoever asks, and SDS servers for Envoys of the rig. */
export interface RigIdentity {
  readonly trustDomain: string;
  /** Serves key, certificate and roots of `app`. */
  serve(app: AppIdentity, sds: SdsServer): Promise<void>;
  /** @returns PEM texts for a client that calls as `app` */
  clientOf(app: AppIdentity): Promise<{ readonly cert: string; readonly key: string; readonly ca: string }>;
  close(): void;
}

const HOUR_MS = 3_600_000;

export async function createRigIdentity(trustDomain: string): Promise<RigIdentity> {
  const root = await createRoot(trustDomain, new Date());
  const state = { trustDomain, roots: [{ ...root, signsFromMs: 0, trustedUntilMs: Date.now() + HOUR_MS }] };
  const ca = createCertificateAuthority({ state, leafTtlMs: HOUR_MS, clockSkewMs: 60_000 });
  const closers: (() => void)[] = [() => ca.close()];
  const signAs = (app: AppIdentity) => async (csr: Uint8Array) => {
    const svid = await ca.sign(csr, app);
    return { chainPem: svid.chainPem, trustDomain, notBeforeMs: svid.notBefore.getTime(), notAfterMs: svid.notAfter.getTime() };
  };
  return {
    trustDomain,
    async serve(app, sds) {
      const client = {
        sign: signAs(app),
        async *watchTrust(signal: AbortSignal) {
          yield ca.trusted();
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        },
      };
      const source = startSvidSource(client, silentLogger);
      await source.ready;
      sds.add(svidSecrets(source));
      closers.push(() => source.close());
    },
    async clientOf(app) {
      const { privateKeyPem, csr } = await createKeyAndCsr();
      const { chainPem } = await signAs(app)(csr);
      return { cert: chainPem, key: privateKeyPem, ca: ca.trusted() };
    },
    close() {
      for (const close of closers) close();
    },
  };
}
