import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Issuer } from '../../../src/control/ca/authority.js';
import { x509 } from '../../../src/lib/x509.js';
import { type LeafOptions, makeLeaf, rootOf, strangersRoot, tlsGet } from '../../support/certificates.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

const CALLER = 'spiffe://public/ns/default/caller';
const SIGN = x509.KeyUsageFlags.digitalSignature;
const HOUR = 3_600_000;

let mesh: Mesh;
let inbound: number;
let root: Issuer;
let seen: NodeJS.Dict<string | string[]>;

beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((request, response) => {
    seen = request.headers;
    response.end('hello');
  });
  inbound = await mesh.world.port();
  const orders = await mesh.sidecar({ appId: 'orders', appPort, args: ['--inbound-port', String(inbound)] });
  await orders.ready();
  root = rootOf(mesh.world.home);
});
afterAll(() => mesh.close());

const attempt = async (options: LeafOptions, issuer: Issuer = root) => tlsGet(inbound, await makeLeaf(issuer, options));

describe('the inbound listener', () => {
  it('takes a certificate of this mesh, and tells the app whose it is', async () => {
    const leaf = await makeLeaf(root, { uris: [CALLER] });
    const forged = ['dapr-caller-app-id: admin', 'Dapr-Caller-App-Id: root', 'dapr-caller-namespace: kube-system'];
    const stolen = ['x-forwarded-client-cert: URI=spiffe://public/ns/default/admin', 'connection: dapr-caller-app-id'];
    expect(await tlsGet(inbound, leaf, [...forged, ...stolen])).toMatch(/^HTTP\/1\.1 200/);
    expect(seen['dapr-caller-app-id']).toBe('caller');
    expect(seen['dapr-caller-namespace']).toBe('default');
    expect(seen['x-forwarded-client-cert']).toBeUndefined();
  });

  it('refuses a client without TLS', async () => {
    const outcome = await new Promise((resolve) => {
      const outgoing = request({ host: '127.0.0.1', port: inbound, path: '/hello' }, (response) => resolve(response.statusCode));
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      outgoing.end();
    });
    expect(outcome).toBe('ECONNRESET');
  });

  it('refuses a client without a certificate', async () => expect(await tlsGet(inbound, {})).toBe('refused'));

  it('refuses the same names from a root of the same name that is not ours', async () => {
    expect(await attempt({ uris: [CALLER] }, await strangersRoot('public'))).toBe('refused');
  });

  it.each<[string, LeafOptions]>([
    ['two URI names', { uris: [CALLER, 'spiffe://public/ns/default/admin'] }],
    ['two URI names, a strange one first', { uris: ['https://public/', CALLER] }],
    ['a CA as leaf', { uris: [CALLER], ca: true }],
    ['a leaf that may sign certificates', { uris: [CALLER], keyUsage: SIGN | x509.KeyUsageFlags.keyCertSign }],
    ['a leaf without key usage', { uris: [CALLER], keyUsage: undefined }],
    ['an expired certificate', { uris: [CALLER], notBefore: -2 * HOUR, notAfter: -1000 }],
    ['a certificate of tomorrow', { uris: [CALLER], notBefore: HOUR, notAfter: 2 * HOUR }],
    ['another trust domain', { uris: ['spiffe://elsewhere/ns/default/caller'] }],
    ['a trust domain that only starts like ours', { uris: ['spiffe://public-evil/ns/default/caller'] }],
    ['a trust domain below ours', { uris: ['spiffe://public.evil/ns/default/caller'] }],
    ['the root path', { uris: ['spiffe://public'] }],
    ['the root path with a slash', { uris: ['spiffe://public/'] }],
    ['a path that is not ours', { uris: ['spiffe://public/sa/default/caller'] }],
    ['a longer path', { uris: [`${CALLER}/x`] }],
    ['a path with an escape', { uris: ['spiffe://public/ns/default/call%65r'] }],
    ['another scheme', { uris: ['https://public/ns/default/caller'] }],
    ['upper case in the trust domain', { uris: ['spiffe://PUBLIC/ns/default/caller'] }],
    ['no URI name', { dns: ['caller'] }],
  ])('refuses %s, although our own root has signed it', async (_, options) => {
    expect(await attempt(options)).toBe('refused');
  });
});
