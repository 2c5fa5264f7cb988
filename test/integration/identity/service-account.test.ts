import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../support/mesh.js';
import { freePort } from '../../support/ports.js';
import { type FakePod, startTokenReviewServer, type TokenReviewServer } from '../../support/token-review-server.js';
import { createWebAuthority } from '../../support/web-certificates.js';

/**
 * Real control plane and sidecars; sidecars join with a projected service-account token, as on Kubernetes. Its API server cannot run here: an
 * HTTPS server that answers TokenReview and get of a Pod as it does stands in its place.
 */

const OWN = 'own.control.plane';
const OLD = 'old.control.plane';

let dir: string;
let mesh: Mesh;
let api: TokenReviewServer;
let where: readonly string[];

const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const pod = (change: Partial<FakePod> = {}): FakePod => ({
  namespace: 'default',
  name: 'far-7d4b9',
  uid: 'u1',
  serviceAccount: 'far',
  appId: 'far',
  token: 'far.pod.token',
  audiences: ['weft'],
  ...change,
});

/** A sidecar from where there is no socket of the control plane. */
async function joinWith(appId: string, token: string, args: readonly string[] = []) {
  const path = file(`${appId}.token`, `${token}\n`);
  const env = { WEFT_HOME: join(dir, 'elsewhere') };
  return mesh.sidecar({ appId, env, args: [...where, '--join-token-file', path, ...args] });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weft-sa-'));
  mkdirSync(join(dir, 'elsewhere'));
  api = await startTokenReviewServer(OWN);
  const identityPort = String(await freePort());
  mesh = await createMesh({
    controlPlane: [
      ...['--identity-port', identityPort, '--kubernetes-token-review', '--kubernetes-api-server', api.url],
      ...['--kubernetes-token-file', file('own-token', OWN), '--kubernetes-ca-file', file('api-ca.crt', api.ca)],
    ],
  });
  expect((await mesh.world.run(['mtls', 'export', '--out', dir])).code).toBe(0);
  where = ['--identity-address', `127.0.0.1:${identityPort}`, '--trust-anchors-file', join(dir, 'ca.crt')];
}, 60_000);
beforeEach(() => {
  api.mode = 'right';
  api.pods = [pod()];
  file('own-token', OWN);
  file('api-ca.crt', api.ca);
});
afterAll(async () => {
  await mesh?.close();
  api?.close();
  rmSync(dir, { recursive: true, force: true });
});

it('a pod’s token proves its app, and a call tells who made it', async () => {
  const appPort = await mesh.app((request, response) => response.end(String(request.headers['dapr-caller-app-id'])));
  const orders = await mesh.sidecar({ appId: 'orders', appPort });
  const far = await joinWith('far', 'far.pod.token');
  await Promise.all([orders.ready(), far.ready()]);
  expect(await (await fetch(`${far.api}/v1.0/invoke/orders/method/x`)).text()).toBe('far');
  expect((await mesh.world.run(['mtls'])).text).toContain('spiffe://public/ns/default/far');
}, 60_000);

it.each<[string, Partial<FakePod>, readonly string[], RegExp]>([
  ['for another audience', { audiences: ['https://kubernetes.default.svc'] }, [], /not valid: .*audiences/],
  ['of another app', { appId: 'orders' }, [], /the credential is for default\/orders, not for default\/far/],
  ['of another namespace', { namespace: 'shop' }, [], /the credential is for shop\/far, not for default\/far/],
  ['for another namespace', {}, ['--namespace', 'shop'], /the credential is for default\/far, not for shop\/far/],
  ['that nobody gave', { token: 'another.pod.token' }, [], /not valid: .*token lookup failed/],
  ['of a pod without an app', { appId: undefined }, [], /has no app id: give it the annotation dapr.io\/app-id/],
])(
  'a token %s gets no certificate',
  async (_, change, args, reason) => {
    api.pods = [pod(change)];
    const thief = await joinWith('far', 'far.pod.token', args);
    expect(await thief.cli.exit()).toBe(1);
    expect(thief.cli.text()).toMatch(reason);
    expect(thief.cli.text()).not.toContain('far.pod.token');
  },
  30_000,
);

it('join tokens go on, and are not shown to the API server', async () => {
  const { text } = await mesh.world.run(['token', 'create', '--app-id', 'other', '--ttl', '1m']);
  const token = text.split('\n').find((line) => line.startsWith('weft1.')) ?? '';
  const other = await joinWith('other', token);
  await other.ready();
  expect(api.reviewed).not.toContain(token);
}, 30_000);

it.each<[TokenReviewServer['mode'] | 'old token' | 'foreign CA', RegExp]>([
  ['silent', /no answer within 4 s/],
  ['garbage', /no JSON object/],
  [403, /may not create tokenreviews; bind ClusterRole system:auth-delegator/],
  [500, /it answered 500/],
  ['foreign CA', /cannot be asked: .*(certificate|self-signed|signature)/],
  ['old token', /does not take the control plane’s own token; see --kubernetes-token-file/],
])(
  'while the API server cannot say (%s), nobody gets a certificate; once it can, who waited does',
  async (mode, reason) => {
    if (mode === 'old token') file('own-token', OLD);
    else if (mode === 'foreign CA') file('api-ca.crt', (await createWebAuthority()).ca);
    else api.mode = mode;
    const far = await joinWith('far', 'far.pod.token');
    await far.cli.until(reason, 20_000);
    const probe = await fetch(`${far.api}/v1.0/healthz`).then(
      ({ status }) => status,
      () => 'refused',
    );
    expect(probe).not.toBe(204);
    api.mode = 'right';
    file('own-token', OWN);
    file('api-ca.crt', api.ca);
    await far.ready();
  },
  60_000,
);
