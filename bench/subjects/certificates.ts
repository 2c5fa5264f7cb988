import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyAndCsr } from '../../src/agent/identity/csr.js';
import { createRoot, signSvid } from '../../src/control/ca/authority.js';

export interface CertificateFiles {
  readonly root: string;
  readonly certificate: string;
  readonly key: string;
  readonly uri: string;
}

const TRUST_DOMAIN = 'public';
const HOUR_MS = 3_600_000;

/** Writes a root and one leaf of each app, of the same kind as Weft's own: P-256, one SPIFFE id. @returns their files by app */
export async function writeCertificates<T extends string>(
  apps: readonly T[],
  dir: string,
): Promise<Readonly<Record<T, CertificateFiles>>> {
  const issuer = await createRoot(TRUST_DOMAIN, new Date());
  const root = join(dir, 'root.pem');
  writeFileSync(root, issuer.certificatePem);
  const entries = apps.map(async (appId) => {
    const { privateKeyPem, csr } = await createKeyAndCsr();
    const identity = { trustDomain: TRUST_DOMAIN, namespace: 'default', appId };
    const svid = await signSvid(issuer, csr, identity, { ttlMs: HOUR_MS, clockSkewMs: HOUR_MS / 2, now: new Date() });
    const [certificate, key] = [join(dir, `${appId}.pem`), join(dir, `${appId}.key`)];
    writeFileSync(certificate, svid.chainPem);
    writeFileSync(key, privateKeyPem, { mode: 0o600 });
    return [appId, { root, certificate, key, uri: `spiffe://${TRUST_DOMAIN}/ns/default/${appId}` }];
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<T, CertificateFiles>;
}
