import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommunicationProtocolEnum, DaprClient, LogLevel } from '@dapr/dapr';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../support/mesh.js';

/** Secrets through real sidecars: the official SDK reads them, components are made with them, and nobody else sees them. */

const HUSH = 'hush-3b1f';
let mesh: Mesh;
let shop: SidecarProcess;
let directory: string;
let database: string;

const saveSecrets = (secrets: object) => writeFileSync(join(mesh.world.home, 'secrets.json'), JSON.stringify(secrets));

beforeAll(async () => {
  mesh = await createMesh();
  const { home } = mesh.world;
  directory = join(home, 'shop');
  database = join(home, `${HUSH}.db`);
  mkdirSync(directory);
  saveSecrets({ db: { path: database }, pin: HUSH, open: 'o' });
  writeFileSync(
    join(directory, 'all.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: store }
spec: { type: state.sqlite, metadata: [{ name: connectionString, secretKeyRef: { name: 'db:path' } }] }
auth: { secretStore: vault }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: secretstores.local.file, metadata: [{ name: secretsFile, value: ${join(home, 'secrets.json')} }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: late }
spec: { type: state.sqlite, ignoreErrors: true, metadata: [{ name: connectionString, secretKeyRef: { name: later } }] }
auth: { secretStore: vault }
`,
  );
  const config = join(home, 'config.yaml');
  writeFileSync(
    config,
    `apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: shop }
spec: { secrets: { scopes: [{ storeName: vault, defaultAccess: allow, deniedSecrets: [pin] }] } }
`,
  );
  shop = await mesh.sidecar({ appId: 'shop', args: ['--resources-path', directory, '--config', config, '--log-level', 'debug'] });
  await shop.ready();
}, 60_000);
afterAll(() => mesh?.close());

describe.each([
  ['HTTP', CommunicationProtocolEnum.HTTP],
  ['gRPC', CommunicationProtocolEnum.GRPC],
])('the official SDK over %s', (_name, communicationProtocol) => {
  it('reads secrets as far as the scopes let it', async () => {
    const daprPort = String(communicationProtocol === CommunicationProtocolEnum.HTTP ? shop.httpPort : shop.grpcPort);
    const client = new DaprClient({ daprHost: '127.0.0.1', daprPort, communicationProtocol, logger: { level: LogLevel.Error } });
    await client.start();
    onTestFinished(() => client.stop());
    expect(await client.secret.get('vault', 'open')).toEqual({ open: 'o' });
    expect(JSON.stringify(await client.secret.getBulk('vault'))).toContain('"open"');
    expect(JSON.stringify(await client.secret.getBulk('vault'))).not.toContain('"pin"');
    await expect(client.secret.get('vault', 'pin')).rejects.toThrow(/denied|Forbidden/);
  });
});

it('makes a component with a secret that stands in no dump, no log and no metadata', async () => {
  const saved = await fetch(`${shop.api}/v1.0/state/store`, { method: 'POST', body: '[{"key":"a","value":1}]' });
  expect(saved.status).toBe(204);
  expect(existsSync(database)).toBe(true);
  const metadata = await (await fetch(`${shop.api}/v1.0/metadata`)).text();
  expect(metadata).toContain('"vault"');
  const dump = (await mesh.world.run(['proxy-config', 'shop'])).text;
  expect(dump).toContain('secretKeyRef');
  expect(metadata + dump + shop.cli.text()).not.toContain(HUSH);
});

it('tries a component again until the secret that it wants is there', async () => {
  expect((await fetch(`${shop.api}/v1.0/state/late/a`)).status).toBe(400);
  expect(shop.cli.text()).toContain('metadata connectionString refers to secret later of store vault: secret later not found');
  saveSecrets({ db: { path: database }, pin: HUSH, open: 'o', later: join(mesh.world.home, 'late.db') });
  await eventually(async () => expect((await fetch(`${shop.api}/v1.0/state/late/a`)).status).toBe(204), 30_000);
}, 60_000);

it('makes a component anew when its secret is another, within a second or two', async () => {
  const other = join(mesh.world.home, 'other.db');
  saveSecrets({ db: { path: other }, pin: HUSH, open: 'o', later: join(mesh.world.home, 'late.db') });
  const value = async () => (await fetch(`${shop.api}/v1.0/state/store/a`)).status;
  expect(await value()).toBe(200);
  await eventually(async () => expect(await value()).toBe(204), 20_000);
  expect(existsSync(other)).toBe(true);
  saveSecrets({ db: { path: database }, pin: HUSH, open: 'o', later: join(mesh.world.home, 'late.db') });
  await eventually(async () => expect(await value()).toBe(200), 20_000);
}, 60_000);

it('answers 403, 401 and 500 as Dapr does', async () => {
  const get = async (path: string) => {
    const response = await fetch(`${shop.api}/v1.0/secrets/${path}`);
    return [response.status, ((await response.json()) as { errorCode: string }).errorCode];
  };
  expect(await get('vault/pin')).toEqual([403, 'ERR_PERMISSION_DENIED']);
  expect(await get('nowhere/pin')).toEqual([401, 'ERR_SECRET_STORE_NOT_FOUND']);
  expect(await get('vault/none')).toEqual([500, 'ERR_SECRET_GET']);
});

it('acknowledges a component that loads after it was refused', async () => {
  const status = async () => (await mesh.world.run(['proxy-status'])).text;
  writeFileSync(
    join(directory, 'more.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: more }
spec: { type: state.sqlite, metadata: [{ name: connectionString, secretKeyRef: { name: more } }] }
auth: { secretStore: vault }
`,
  );
  await eventually(async () => expect(await status()).toContain('secret more not found'), 20_000);
  saveSecrets({ db: { path: database }, pin: HUSH, more: join(mesh.world.home, 'more.db') });
  await eventually(async () => expect(await status()).not.toMatch(/NACKED|secret more/), 30_000);
  expect((await fetch(`${shop.api}/v1.0/state/more/a`)).status).toBe(204);
}, 90_000);
