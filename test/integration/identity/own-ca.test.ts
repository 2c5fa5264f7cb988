import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Issuer } from '../../../src/control/ca/authority.js';
import { makeLeaf, tlsGet } from '../../support/certificates.js';
import { createMesh, type Mesh } from '../../support/mesh.js';
import { freePort } from '../../support/ports.js';

let dir: string;
let mesh: Mesh | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-ca-'));
});
afterEach(async () => {
  await mesh?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A root that signs nothing but issuers, and an issuer, as `certs/make-ca.mjs` makes them. @returns the control plane's flags */
function companyCa(): { readonly flags: readonly string[]; readonly issuer: Issuer } {
  const out = join(dir, 'company');
  const printed = execFileSync(process.execPath, ['certs/make-ca.mjs', '--out', out, '--name', 'Company'], { encoding: 'utf8' });
  const [, , ...flags] = printed.trim().split(' ');
  const read = (name: string) => readFileSync(join(out, name), 'utf8');
  return { flags, issuer: { certificatePem: read('issuer.crt'), privateKeyPem: read('issuer.key') } };
}

it('signs with an own CA below its own root, and knows no other', async () => {
  const { flags, issuer } = companyCa();
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

it('is made for development by a script that leaves no key where it does not belong', () => {
  companyCa();
  expect(statSync(join(dir, 'company', 'issuer.key')).mode & 0o777).toBe(0o600);
  const make = (...args: string[]) => spawnSync(process.execPath, ['certs/make-ca.mjs', ...args], { encoding: 'utf8' });
  expect(make('--out', join(dir, 'company')).stderr).toContain('is there already');
  expect(make('--out', 'certs').stderr).toContain('inside the repository');
  expect(make().stderr).toContain('--out DIR is missing');
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
