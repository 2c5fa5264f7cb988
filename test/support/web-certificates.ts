import { exportPrivateKey, generateKeyPair, randomSerial, SIGNING_ALGORITHM, x509 } from '../../src/lib/x509.js';

export interface WebAuthority {
  readonly ca: string;
  /** @returns a certificate for a DNS name, and its key, as PEM */
  issue(dnsName: string): Promise<{ readonly cert: string; readonly key: string }>;
}

const HOUR_MS = 3_600_000;

/** A certificate authority as the web has them. */
export async function createWebAuthority(): Promise<WebAuthority> {
  const keys = await generateKeyPair();
  const lifetime = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + HOUR_MS) };
  const name = 'CN=Test Web CA';
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name,
    ...lifetime,
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return {
    ca: root.toString('pem'),
    async issue(dnsName) {
      const own = await generateKeyPair();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: randomSerial(),
        subject: `CN=${dnsName}`,
        issuer: name,
        ...lifetime,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: SIGNING_ALGORITHM,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])],
      });
      return { cert: certificate.toString('pem'), key: await exportPrivateKey(own.privateKey) };
    },
  };
}
