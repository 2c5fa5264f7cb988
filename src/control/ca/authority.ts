import { exportPrivateKey, generateKeyPair, importPrivateKey, randomSerial, SIGNING_ALGORITHM, x509 } from '../../lib/x509.js';
import { parseSpiffeId, type SpiffeIdentity, spiffeId } from '../../model/spiffe.js';

/** A certificate and the key that signs with it, both PEM. The key is secret. */
export interface Issuer {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface Svid {
  /** Leaf first, then the issuer; PEM. */
  readonly chainPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serial: string;
}

export interface SignOptions {
  readonly ttlMs: number;
  /** How far back `notBefore` lies, for hosts whose clock is behind. */
  readonly clockSkewMs: number;
  readonly now: Date;
}

const ROOT_LIFETIME_MS = 365 * 24 * 3_600_000;
/** More than any clock skew that leaves are backdated for: a leaf cannot be older than its root. */
const ROOT_BACKDATED_MS = 3_600_000;
const MAX_CSR_BYTES = 8 * 1024;
const P256_OID = '1.2.840.10045.3.1.7';

/** A CSR that is not signed. The text says what is wrong with it. */
export class CsrRefused extends Error {
  override readonly name = 'CsrRefused';
}

/** Makes a self-signed root for one trust domain. @returns certificate and key as PEM */
export async function createRoot(trustDomain: string, now: Date, lifetimeMs = ROOT_LIFETIME_MS): Promise<Issuer> {
  const keys = await generateKeyPair();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `O=Weft, CN=Weft root of ${trustDomain}`,
    notBefore: new Date(now.getTime() - ROOT_BACKDATED_MS),
    notAfter: new Date(now.getTime() + lifetimeMs),
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await exportPrivateKey(keys.privateKey) };
}

/**
 * Signs a leaf (X509-SVID §4–5: one URI SAN, digitalSignature, not a CA) for `identity`.
 * Only the public key is taken from the CSR; a SAN in it must be exactly the identity that the caller has proven.
 * @param csr DER of a PKCS#10 request
 * @throws CsrRefused
 */
export async function signSvid(issuer: Issuer, csr: Uint8Array, identity: SpiffeIdentity, options: SignOptions): Promise<Svid> {
  const request = await readCsr(csr, identity);
  const parent = new x509.X509Certificate(issuer.certificatePem);
  const notAfter = new Date(Math.min(options.now.getTime() + options.ttlMs, parent.notAfter.getTime()));
  const notBefore = new Date(Math.max(options.now.getTime() - options.clockSkewMs, parent.notBefore.getTime()));
  if (notAfter <= options.now)
    throw new CsrRefused('the signing certificate has expired; rotate the root (weft mtls renew-certificate)');
  const serial = randomSerial();
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: 'O=Weft',
    issuer: parent.subject,
    notBefore,
    notAfter,
    publicKey: request.publicKey,
    signingKey: await importPrivateKey(issuer.privateKeyPem),
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: spiffeId(identity) }]),
      await x509.AuthorityKeyIdentifierExtension.create(parent.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
    ],
  });
  return { chainPem: `${leaf.toString('pem')}\n${issuer.certificatePem.trim()}\n`, notBefore, notAfter, serial };
}

async function readCsr(csr: Uint8Array, identity: SpiffeIdentity): Promise<x509.Pkcs10CertificateRequest> {
  if (csr.length > MAX_CSR_BYTES) throw new CsrRefused(`the certificate request is larger than ${MAX_CSR_BYTES} bytes`);
  const request = parseCsr(csr);
  const algorithm = request.publicKey.algorithm as { readonly name?: string; readonly namedCurve?: string };
  if (algorithm.name !== 'ECDSA' || algorithm.namedCurve !== 'P-256') {
    throw new CsrRefused(`the key must be ECDSA P-256 (${P256_OID}), not ${algorithm.name ?? 'unknown'}`);
  }
  if (!(await request.verify())) throw new CsrRefused('the certificate request is not signed by its own key');
  const asked = request.extensions.filter((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
  const names = asked.flatMap((extension) => extension.names.items);
  const wanted = spiffeId(identity);
  if (names.some((name) => name.type !== 'url' || name.value !== wanted || parseSpiffeId(name.value) === undefined)) {
    throw new CsrRefused(`the certificate request asks for another identity than the proven ${wanted}`);
  }
  return request;
}

function parseCsr(csr: Uint8Array): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(new Uint8Array(csr));
  } catch (error) {
    throw new CsrRefused(`the certificate request is not PKCS#10 DER: ${(error as Error).message}`);
  }
}
