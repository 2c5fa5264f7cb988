import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRoot } from '../../../../src/control/ca/authority.js';
import { loadOwnCa, loadRoots, rotateRoot, signingRoot, trustedPem } from '../../../../src/control/ca/root-store.js';
import { UsageError } from '../../../../src/errors.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-roots-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const now = new Date('2030-01-01T00:00:00Z');
const count = (pem: string) => pem.split('BEGIN CERTIFICATE').length - 1;

describe('the root store', () => {
  it('keeps its root over a restart, readable by its owner only', async () => {
    const first = await loadRoots(dir, 'weft.test', now);
    expect(await loadRoots(dir, 'weft.test', now)).toEqual(first);
    expect(statSync(join(dir, 'roots.json')).mode & 0o077).toBe(0);
  });

  it('says what to do when the file belongs to another trust domain or is torn', async () => {
    await loadRoots(dir, 'weft.test', now);
    await expect(loadRoots(dir, 'other.test', now)).rejects.toThrow(/belongs to trust domain weft.test/);
    writeFileSync(join(dir, 'roots.json'), readFileSync(join(dir, 'roots.json')).subarray(0, 50));
    await expect(loadRoots(dir, 'weft.test', now)).rejects.toThrow(UsageError);
  });

  it('rotates: trusts the new root at once, signs with it after propagation, drops the old one when its last leaf is dead', async () => {
    const before = await loadRoots(dir, 'weft.test', now);
    const after = await rotateRoot(before, now, { propagationMs: 1000, leafTtlMs: 5000 });
    const t = now.getTime();
    expect(count(trustedPem(after, t))).toBe(2);
    expect(signingRoot(after, t).certificatePem).toBe(before.roots[0]?.certificatePem);
    expect(signingRoot(after, t + 1000).certificatePem).toBe(after.roots[0]?.certificatePem);
    expect(count(trustedPem(after, t + 5999))).toBe(2);
    expect(count(trustedPem(after, t + 6000))).toBe(1);
  });

  it('takes an own CA as files, and refuses a leaf or a stranger', async () => {
    const root = await createRoot('weft.test', now);
    const other = await createRoot('weft.test', now);
    const write = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const files = {
      anchors: write('ca.crt', root.certificatePem),
      issuer: write('issuer.crt', root.certificatePem),
      key: write('issuer.key', root.privateKeyPem),
    };
    const state = loadOwnCa(files, 'weft.test');
    expect(new X509Certificate(trustedPem(state, now.getTime())).ca).toBe(true);
    expect(() => loadOwnCa({ ...files, anchors: write('other.crt', other.certificatePem) }, 'weft.test')).toThrow(
      /not issued by/,
    );
    expect(() => loadOwnCa({ ...files, issuer: join(dir, 'none.crt') }, 'weft.test')).toThrow(/none.crt/);
    expect(() => loadOwnCa({ ...files, issuer: files.key }, 'weft.test')).toThrow(/no PEM certificate/);
    expect(() => loadOwnCa({ ...files, key: write('other.key', other.privateKeyPem) }, 'weft.test')).toThrow(/not the key of/);
    expect(() => loadOwnCa({ ...files, key: files.anchors }, 'weft.test')).toThrow(/no private key/);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsa = write('rsa.key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    expect(() => loadOwnCa({ ...files, key: rsa }, 'weft.test')).toThrow(/ECDSA P-256/);
  });

  it("takes a key in OpenSSL's and Dapr's form", async () => {
    const root = await createRoot('weft.test', now);
    const sec1 = createPrivateKey(root.privateKeyPem).export({ type: 'sec1', format: 'pem' }).toString();
    const [anchors, issuer, key] = ['ca.crt', 'issuer.crt', 'issuer.key'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [anchors, issuer]) writeFileSync(path, root.certificatePem);
    writeFileSync(key, sec1);
    const [loaded] = loadOwnCa({ anchors, issuer, key }, 'weft.test').roots;
    expect(loaded?.privateKeyPem).toContain('BEGIN PRIVATE KEY');
  });

  it('forgets a root that nobody trusts any more with the next rotation', async () => {
    let state = await loadRoots(dir, 'weft.test', now);
    const times = { propagationMs: 1000, leafTtlMs: 5000 };
    state = await rotateRoot(state, now, times);
    state = await rotateRoot(state, new Date(now.getTime() + 7000), times);
    expect(state.roots).toHaveLength(2);
  });
});
