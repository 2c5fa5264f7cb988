import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportPrivateKey, generateKeyPair, randomSerial, SIGNING_ALGORITHM, x509 } from '../../../src/lib/x509.js';
import { makeLeaf, tlsGet } from '../../support/certificates.js';
import { createMesh, type Mesh } from '../../support/mesh.js';
import { freePort } from '../../support/ports.js';

const { KeyUsageFlags } = x509;

let dir: string;
let mesh: Mesh;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-ca-'));
});
afterEach(async () => {
  await mesh.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A root that signs nothing but issuers, and an issuer: as companies have them. @returns the control plane's flags */
async function companyCa(): Promise<{
  readonly flags: readonly string[];
  readonly issuer: { certificatePem: string; privateKeyPem: string };
}> {
  const certificate = async (name: string, parent?: { keys: Awaited<ReturnType<typeof generateKeyPair>>; subject: string }) => {
    const keys = await generateKeyPair();
    const made = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: `CN=${name}`,
      issuer: parent?.subject ?? `CN=${name}`,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 86_400_000),
      publicKey: keys.publicKey,
      signingKey: (parent?.keys ?? keys).privateKey,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return { keys, subject: made.subject, pem: made.toString('pem') };
  };
  const root = await certificate('Company root');
  const issuing = await certificate('Company mesh issuer', root);
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const privateKeyPem = await exportPrivateKey(issuing.keys.privateKey);
  const flags = [
    ...['--trust-anchors-file', write('ca.crt', root.pem)],
    ...['--issuer-certificate-file', write('issuer.crt', issuing.pem)],
    ...['--issuer-key-file', write('issuer.key', privateKeyPem)],
  ];
  return { flags, issuer: { certificatePem: issuing.pem, privateKeyPem } };
}

it('signs with an own CA below its own root, and knows no other', async () => {
  const { flags, issuer } = await companyCa();
  mesh = await createMesh({ controlPlane: [...flags, '--trust-domain', 'company.example'] });
  const appPort = await mesh.app((request, response) => response.end(String(request.headers['dapr-caller-app-id'])));
  const inbound = await mesh.world.port();
  const orders = await mesh.sidecar({ appId: 'orders', appPort, args: ['--inbound-port', String(inbound)] });
  const caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), caller.ready()]);
  expect(await (await fetch(`${caller.api}/v1.0/invoke/orders/method/x`)).text()).toBe('caller');
  const uris = ['spiffe://company.example/ns/default/other'];
  expect(await tlsGet(inbound, await makeLeaf(issuer, { uris }))).toMatch(/^HTTP\/1\.1 200/);
  // The company may give certificates to others too; those are no apps of this mesh.
  expect(await tlsGet(inbound, await makeLeaf(issuer, { uris: ['spiffe://company.example/laptop/7'] }))).toBe('refused');
  expect(await tlsGet(inbound, await makeLeaf(issuer, { dns: ['www.company.example'] }))).toBe('refused');
});

it('joins with a token from where the control plane keeps no socket, and says what it needs without one', async () => {
  const home = join(dir, 'elsewhere');
  mkdirSync(home);
  const identityPort = String(await freePort());
  mesh = await createMesh({ controlPlane: ['--identity-port', identityPort] });
  const { world } = mesh;
  const env = { WEFT_HOME: home };
  const appPort = await mesh.app((request, response) => response.end(String(request.headers['dapr-caller-app-id'])));
  const orders = await mesh.sidecar({ appId: 'orders', appPort });
  await orders.ready();

  const lost = await mesh.sidecar({ appId: 'far', env });
  expect(await lost.cli.exit()).toBe(1);
  expect(lost.cli.text()).toMatch(/wants a certificate.*--join-token/);

  expect((await world.run(['mtls', 'export', '--out', dir])).code).toBe(0);
  const { text } = await world.run(['token', 'create', '--app-id', 'far', '--ttl', '1m']);
  const token = text.split('\n').find((line) => line.startsWith('weft1.')) ?? '';
  const where = ['--identity-address', `127.0.0.1:${identityPort}`, '--trust-anchors-file', join(dir, 'ca.crt')];
  const thief = await mesh.sidecar({ appId: 'near', env: { ...env, WEFT_JOIN_TOKEN: token }, args: where });
  expect(await thief.cli.exit()).toBe(1);
  expect(thief.cli.text()).toContain('the credential is for default/far, not for default/near');

  const far = await mesh.sidecar({ appId: 'far', env: { ...env, WEFT_JOIN_TOKEN: token }, args: where });
  await far.ready();
  expect(await (await fetch(`${far.api}/v1.0/invoke/orders/method/x`)).text()).toBe('far');
  for (const process of [lost, thief, far]) expect(process.cli.text()).not.toContain(token);
});
