import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { ACCESS_TOKEN, startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.js';

/** Middleware whose secrets are others now: made anew, in Envoy as well, while nothing is started again. */

const DOORS = ['envoy', 'service'] as const;
let mesh: Mesh;
let issuer: TokenIssuer;
const sidecars = new Map<string, SidecarProcess>();
const arrived: unknown[] = [];

/** Each door has a secret of its own, so that one change is seen at one of them. */
const secrets: Record<string, string> = {};
function keep(name: string, value: string): void {
  secrets[name] = value;
  writeFileSync(join(mesh.world.home, 'secrets.json'), JSON.stringify(secrets));
}

const oauth = (door: string, kind: string, more: object) => ({
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Component',
  metadata: { name: kind },
  spec: {
    type: `middleware.http.${kind}`,
    version: 'v1',
    metadata: [
      { name: 'clientSecret', secretKeyRef: { name: `${door}-${kind}` } },
      ...Object.entries({ clientID: 'me', tokenURL: `${issuer.url}/token`, scopes: 'openid', ...more }).map(([name, value]) => ({
        name,
        value,
      })),
    ],
  },
  auth: { secretStore: 'vault' },
});

async function start(door: (typeof DOORS)[number]): Promise<void> {
  const { home } = mesh.world;
  const directory = join(home, door);
  mkdirSync(directory);
  const vault = {
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'vault' },
    spec: { type: 'secretstores.local.file', metadata: [{ name: 'secretsFile', value: join(home, 'secrets.json') }] },
  };
  const signIn = oauth(door, 'oauth2', {
    authURL: `${issuer.url}/authorize`,
    redirectURL: 'http://x/callback',
    pathFilter: '/signed$',
  });
  const own = oauth(door, 'oauth2clientcredentials', { pathFilter: '/open$' });
  writeFileSync(join(directory, 'all.yaml'), [vault, signIn, own].map((it) => JSON.stringify(it)).join('\n---\n'));
  const handlers = ['oauth2', 'oauth2clientcredentials'].map((name) => ({ name, type: `middleware.http.${name}` }));
  const config = join(home, `${door}.yaml`);
  const spec = { httpPipeline: { handlers } };
  writeFileSync(
    config,
    JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: door }, spec }),
  );
  const args = ['--resources-path', directory, '--config', config];
  sidecars.set(door, await mesh.sidecar({ appId: `caller-${door}`, door, args }));
}

beforeAll(async () => {
  mesh = await createMesh();
  issuer = await startTokenIssuer('me', 2);
  for (const door of DOORS) for (const kind of ['oauth2', 'oauth2clientcredentials']) keep(`${door}-${kind}`, `first-${door}`);
  const appPort = await mesh.app((request, response) => {
    arrived.push(request.headers.authorization);
    response.end('hello');
  });
  const other = await mesh.sidecar({ appId: 'other', appPort });
  for (const door of DOORS) await start(door);
  await Promise.all([other, ...sidecars.values()].map((sidecar) => sidecar.ready()));
}, 90_000);
afterAll(async () => {
  await mesh?.close();
  await issuer?.close();
});

const cookiesOf = (set: string | readonly string[] | undefined) =>
  [set ?? []]
    .flat()
    .map((it) => it.split(';', 1)[0])
    .join('; ');

describe.each(DOORS)('the %s door', (door) => {
  const url = (path: string) => `${(sidecars.get(door) as SidecarProcess).api}${path}`;
  const SIGNED = '/v1.0/invoke/other/method/signed';
  const get = (path: string, cookie = '') => call(url(path), { headers: cookie ? { cookie } : {} });

  /** @returns the cookies of who has signed in */
  async function signIn(): Promise<string> {
    const redirect = await get(SIGNED);
    expect(redirect.status).toBe(302);
    const nonce = cookiesOf(redirect.headers['set-cookie']);
    const state = new URL(redirect.headers.location ?? '').searchParams.get('state') ?? '';
    const back = await get(`/callback?code=1&state=${encodeURIComponent(state)}`, nonce);
    expect(back.status).toBe(302);
    return `${nonce}; ${cookiesOf(back.headers['set-cookie'])}`;
  }
  /** Of those who sign in; each door's Envoy asks for its own tokens beside. */
  const shown = () => issuer.asked.findLast((form) => form.get('grant_type') === 'authorization_code')?.get('client_secret');

  it('shows the login service the secret as it is now, and no longer knows who signed in with the one before', async () => {
    const cookies = await eventually(signIn);
    expect(shown()).toBe(`first-${door}`);
    expect((await get(SIGNED, cookies)).body).toBe('hello');
    keep(`${door}-oauth2`, `second-${door}`);
    await eventually(async () => {
      const anew = await signIn();
      expect(shown()).toBe(`second-${door}`);
      expect([(await get(SIGNED, anew)).status, (await get(SIGNED, cookies)).status]).toEqual([200, 302]);
    }, 20_000);
  }, 60_000);

  it('goes on with the secret before where the new one cannot be one', async () => {
    keep(`${door}-oauth2`, '');
    const { cli } = sidecars.get(door) as SidecarProcess;
    await cli.until(/a secret cannot be read any more; the component stays as it is/);
    await signIn();
    expect(shown()).toBe(`second-${door}`);
    keep(`${door}-oauth2`, `third-${door}`);
    await eventually(async () => {
      await signIn();
      expect(shown()).toBe(`third-${door}`);
    }, 20_000);
  }, 60_000);

  it('gets its next own token with the secret as it is now', async () => {
    const open = async () => {
      expect((await get('/v1.0/invoke/other/method/open')).status).toBe(200);
      expect(arrived.at(-1)).toBe(`Bearer ${ACCESS_TOKEN}`);
    };
    await eventually(open);
    const asked = () => issuer.asked.filter((form) => form.get('grant_type') === 'client_credentials');
    const of = (secret: string) => asked().filter((form) => form.get('client_secret') === secret).length;
    expect(of(`first-${door}`)).toBeGreaterThan(0);
    keep(`${door}-oauth2clientcredentials`, `second-${door}`);
    await eventually(() => expect(of(`second-${door}`)).toBeGreaterThan(0), 20_000);
    await open();
  }, 60_000);

  it('says none of them in its log', () => {
    const text = sidecars.get(door)?.cli.text() ?? '';
    for (const secret of ['first', 'second', 'third']) expect(text).not.toContain(`${secret}-${door}`);
  });
});
