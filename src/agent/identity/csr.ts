import { exportPrivateKey, generateKeyPair, SIGNING_ALGORITHM, x509 } from '../../lib/x509.js';

export interface KeyAndCsr {
  /** PKCS#8 PEM. Secret: it goes to Envoy over the SDS socket and nowhere else. */
  readonly privateKeyPem: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
}

/** Makes a fresh P-256 key and a request for it. A new key for every certificate, so that a leaked one is short-lived too. */
export async function createKeyAndCsr(): Promise<KeyAndCsr> {
  const keys = await generateKeyPair();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'O=Weft',
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
  });
  return { privateKeyPem: await exportPrivateKey(keys.privateKey), csr: new Uint8Array(request.rawData) };
}
