import { type webcrypto, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CsrRefused, createRoot, signSvid } from '../../../../src/control/ca/authority.js';
import { generateKeyPair, SIGNING_ALGORITHM, x509 } from '../../../../src/lib/x509.js';

const now = new Date('2030-01-01T00:00:00Z');
const options = { ttlMs: 3_600_000, clockSkewMs: 900_000, now };
const orders = { trustDomain: 'weft.test', namespace: 'default', appId: 'orders' };

async function csrFor(san: string | undefined, algorithm: object = { name: 'ECDSA', namedCurve: 'P-256' }) {
  const keys = (await crypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=ignored',
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: san ? [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: san }])] : [],
  });
  return new Uint8Array(request.rawData);
}

describe('the certificate authority', () => {
  it('signs a leaf that satisfies the X509-SVID rules and chains to the root', async () => {
    const root = await createRoot('weft.test', now);
    const svid = await signSvid(root, await csrFor('spiffe://weft.test/ns/default/orders'), orders, options);
    const leaf = new X509Certificate(svid.chainPem);
    expect(leaf.subjectAltName).toBe('URI:spiffe://weft.test/ns/default/orders');
    expect(leaf.ca).toBe(false);
    expect(leaf.verify(new X509Certificate(root.certificatePem).publicKey)).toBe(true);
    expect(svid.notBefore.getTime()).toBe(now.getTime() - options.clockSkewMs);
    expect(svid.notAfter.getTime()).toBe(now.getTime() + 3_600_000);
    const parsed = new x509.X509Certificate(leaf.raw);
    expect(parsed.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.digitalSignature);
    expect(parsed.subject).not.toContain('ignored');
  });

  it('never outlives its issuer', async () => {
    const root = await createRoot('weft.test', now, 60_000);
    const svid = await signSvid(root, await csrFor(undefined), orders, options);
    expect(svid.notAfter.getTime()).toBe(now.getTime() + 60_000);
  });

  it.each([
    'spiffe://weft.test/ns/default/payments',
    'spiffe://weft.test.evil/ns/default/orders',
    'spiffe://weft.test/ns/default/orders/',
    'spiffe://weft.test/ns/default/%6frders',
    'spiffe://weft.test/ns/other/orders',
  ])('refuses a request for %s when orders was proven', async (san) => {
    const root = await createRoot('weft.test', now);
    await expect(signSvid(root, await csrFor(san), orders, options)).rejects.toThrow(CsrRefused);
  });

  it('refuses another curve, a broken signature and garbage', async () => {
    const root = await createRoot('weft.test', now);
    await expect(
      signSvid(root, await csrFor(undefined, { name: 'ECDSA', namedCurve: 'P-384' }), orders, options),
    ).rejects.toThrow(/P-256/);
    const bent = await csrFor(undefined);
    bent[bent.length - 1] = (bent[bent.length - 1] ?? 0) ^ 1;
    await expect(signSvid(root, bent, orders, options)).rejects.toThrow(CsrRefused);
    await expect(signSvid(root, new Uint8Array([1, 2, 3]), orders, options)).rejects.toThrow(CsrRefused);
    await expect(signSvid(root, new Uint8Array(9000), orders, options)).rejects.toThrow(/larger/);
  });

  it('gives every leaf its own serial', async () => {
    const root = await createRoot('weft.test', now);
    const csr = await csrFor(undefined);
    const serials = await Promise.all([1, 2, 3, 4].map(async () => (await signSvid(root, csr, orders, options)).serial));
    expect(new Set(serials).size).toBe(4);
    expect((await generateKeyPair()).privateKey.algorithm.name).toBe('ECDSA');
  });
});
