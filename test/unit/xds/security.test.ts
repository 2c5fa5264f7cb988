import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelCredentials, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKeyAndCsr } from '../../../src/agent/identity/csr.js';
import { createSigningClient, type SigningClientOptions } from '../../../src/agent/identity/signing-client.js';
import { createRoot } from '../../../src/control/ca/authority.js';
import type { MtlsStatus } from '../../../src/control/mtls-status.js';
import { AggregatedDiscoveryServiceClient } from '../../../src/gen/envoy/service/discovery/v3/ads.js';
import { DeltaDiscoveryRequest } from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { IdentityClient } from '../../../src/gen/weft/identity/v1/identity.js';
import { identitySocket } from '../../../src/lib/identity-socket.js';
import type { MtlsOptions } from '../../../src/xds/security.js';
import { makeLeaf, rootOf, strangersRoot } from '../../support/certificates.js';
import { startTestControlPlane, type TestControlPlane } from '../../support/control-plane-fixture.js';
import { freePort } from '../../support/ports.js';
import { joinMesh, type Workload } from '../../support/workload.js';

const MTLS: MtlsOptions = { trustDomain: 'weft.test', identityPort: 0 };

let home: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weft-sec-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(home, { recursive: true, force: true });
});

async function start(mtls: Partial<MtlsOptions> = {}): Promise<TestControlPlane> {
  const controlPlane = await startTestControlPlane({ stateDirectory: join(home, 'control-plane'), mtls: { ...MTLS, ...mtls } });
  closers.push(controlPlane.close);
  return controlPlane;
}

async function workload(controlPlane: TestControlPlane, appId: string): Promise<Workload> {
  const joined = await joinMesh({ home, controlPlane: controlPlane.grpcAddress }, appId);
  closers.push(joined.close);
  return joined;
}

/** Asks for clusters as `nodeId`. @returns how many resource types answered, or gRPC's code */
function subscribe(address: string, channelCredentials: ChannelCredentials, nodeId: string): Promise<string> {
  const client = new AggregatedDiscoveryServiceClient(address, channelCredentials, {
    'grpc.ssl_target_name_override': 'weft-control-plane',
    'grpc.use_local_subchannel_pool': 1,
  });
  closers.push(() => client.close());
  return new Promise((resolve) => {
    const stream = client.deltaAggregatedResources();
    stream.on('data', () => {
      resolve('served');
      stream.cancel();
    });
    stream.on('error', (error: ServiceError) => resolve(status[error.code] ?? error.message));
    stream.write(
      DeltaDiscoveryRequest.fromPartial({
        node: { id: nodeId },
        typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
        resourceNamesSubscribe: ['*'],
      }),
    );
  });
}

const node = (appId: string) => `envoy~default~${appId}~${appId}-test`;
const anyServer = { rejectUnauthorized: false, checkServerIdentity: () => undefined };

describe('a control plane with mTLS', () => {
  it("serves a proxy its own app's resources and no other's", async () => {
    const controlPlane = await start();
    const orders = await workload(controlPlane, 'orders');
    await orders.attach({});
    expect(await subscribe(controlPlane.grpcAddress, orders.credentials, node('orders'))).toBe('served');
    expect(await subscribe(controlPlane.grpcAddress, orders.credentials, node('payments'))).toBe('PERMISSION_DENIED');
    expect(await subscribe(controlPlane.grpcAddress, orders.credentials, 'envoy~other~orders~orders-test')).toBe(
      'PERMISSION_DENIED',
    );
  });

  it('lets an instance attach as its own app only, and take no other instance over', async () => {
    const controlPlane = await start();
    const [orders, payments] = [await workload(controlPlane, 'orders'), await workload(controlPlane, 'payments')];
    await expect(orders.attach({ appId: 'payments' })).rejects.toThrow(/the certificate is of default\/orders/);
    await expect(orders.attach({ namespace: 'other' })).rejects.toThrow(/PERMISSION_DENIED/);
    await orders.attach({ instanceId: 'one', pid: 7, startedAtMs: 7 });
    await expect(payments.attach({ instanceId: 'one', pid: 7, startedAtMs: 7 })).rejects.toThrow(/taken/);
  });

  it('refuses plain text, no certificate, and a stranger', async () => {
    const { grpcAddress } = await start();
    expect(await subscribe(grpcAddress, credentials.createInsecure(), node('orders'))).toBe('UNAVAILABLE');
    expect(await subscribe(grpcAddress, credentials.createSsl(null, null, null, anyServer), node('orders'))).toBe('UNAVAILABLE');
    const uris = ['spiffe://weft.test/ns/default/orders'];
    const stranger = await makeLeaf(await strangersRoot('weft.test'), { uris });
    const strange = credentials.createSsl(null, Buffer.from(stranger.key), Buffer.from(stranger.cert), anyServer);
    expect(await subscribe(grpcAddress, strange, node('orders'))).toBe('UNAVAILABLE');
  });

  it.each([
    ['two names', ['spiffe://weft.test/ns/default/orders', 'spiffe://weft.test/ns/default/payments']],
    ['a trust domain that starts like ours', ['spiffe://weft.test-evil/ns/default/orders']],
  ])('refuses a certificate with %s, although our own root has signed it', async (_, uris) => {
    const { grpcAddress } = await start();
    const { key, cert } = await makeLeaf(rootOf(home), { uris });
    const own = credentials.createSsl(null, Buffer.from(key), Buffer.from(cert), anyServer);
    expect(await subscribe(grpcAddress, own, node('orders'))).toBe('PERMISSION_DENIED');
  });

  it('shows roots and certificates, never a key', async () => {
    const controlPlane = await start();
    await workload(controlPlane, 'orders');
    const shown = await controlPlane.status<Extract<MtlsStatus, { enabled: true }>>('/v1/mtls');
    expect(shown.roots.map(({ state }) => state)).toEqual(['signing']);
    expect(shown.certificates).toMatchObject([{ id: 'spiffe://weft.test/ns/default/orders', instanceId: 'orders-test' }]);
    expect(JSON.stringify(shown)).not.toContain('PRIVATE KEY');
  });

  it('keeps its socket and keys from other users', async () => {
    const { grpcAddress } = await start();
    const directory = join(home, 'control-plane');
    const socket = identitySocket(directory, '127.0.0.1', Number(grpcAddress.split(':')[1]));
    for (const path of [directory, socket, join(directory, 'roots.json'), join(directory, 'join-token.key')])
      expect(statSync(path).mode & 0o077, path).toBe(0);
  });
});

describe('the Configuration of the control plane', () => {
  const startWith = async (spec: string) => {
    const file = join(home, 'config.yaml');
    writeFileSync(file, `apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: mesh }\nspec: ${spec}\n`);
    const resources = { resourcesPaths: [], configPaths: [file] };
    const directory = join(home, 'control-plane');
    const controlPlane = await startTestControlPlane({ stateDirectory: directory, mtls: MTLS, resources });
    closers.push(controlPlane.close);
    return controlPlane.status<MtlsStatus>('/v1/mtls');
  };

  it('turns mTLS off', async () => {
    expect(await startWith('{ mtls: { enabled: false } }')).toEqual({ enabled: false });
  });

  it('says how long certificates live', async () => {
    expect(await startWith('{ mtls: { enabled: true, workloadCertTTL: 2h } }')).toMatchObject({ certificateTtlMs: 7_200_000 });
  });

  it('leaves mTLS to another mesh', async () => {
    expect(await startWith('{ mesh: { provider: istio } }')).toEqual({ enabled: false });
    expect(await startWith('{ mesh: { provider: istio, mtls: own } }')).toMatchObject({ enabled: true });
  });
});

describe('a control plane without mTLS', () => {
  it('removes the socket that a predecessor at its address has left, since sidecars would wait for it', async () => {
    const [directory, port] = [join(home, 'control-plane'), await freePort()];
    mkdirSync(directory);
    const left = identitySocket(directory, '127.0.0.1', port);
    writeFileSync(left, '');
    closers.push((await startTestControlPlane({ stateDirectory: directory, port })).close);
    expect(() => statSync(left)).toThrow(/ENOENT/);
  });
});

describe('the port for join tokens', () => {
  let anchors: string;
  let token: (appId: string) => Promise<string>;
  let options: (appId: string, credential?: string) => SigningClientOptions;
  beforeEach(async () => {
    const identityPort = await freePort();
    const controlPlane = await start({ identityPort });
    const { rootsPem } = await controlPlane.status<{ rootsPem: string }>('/v1/mtls');
    anchors = join(home, 'ca.crt');
    writeFileSync(anchors, rootsPem);
    const port = Number(controlPlane.grpcAddress.split(':')[1]);
    const local = new IdentityClient(
      `unix:${identitySocket(join(home, 'control-plane'), '127.0.0.1', port)}`,
      credentials.createInsecure(),
    );
    closers.push(() => local.close());
    token = (appId) =>
      new Promise((resolve, reject) =>
        local.createJoinToken({ namespace: 'default', appId, ttlMs: 60_000 }, (error, made) =>
          error ? reject(error) : resolve(made.token),
        ),
      );
    options = (appId, credential) => ({
      address: `127.0.0.1:${identityPort}`,
      namespace: 'default',
      appId,
      instanceId: `${appId}-1`,
      trustAnchorsFile: anchors,
      credential: () => credential,
    });
  });

  const sign = async (client: SigningClientOptions) => {
    const { csr, privateKeyPem } = await createKeyAndCsr();
    return { ...(await createSigningClient(client).sign(csr, new AbortController().signal, 10_000)), privateKeyPem };
  };

  it('signs for the app that the token is for, and for no other', async () => {
    const signed = await sign(options('orders', await token('orders')));
    expect(signed.trustDomain).toBe('weft.test');
    await expect(sign(options('payments', await token('orders')))).rejects.toThrow(
      /for default\/orders, not for default\/payments/,
    );
  });

  it('signs for nobody without a token, with a bad one, or as the control plane itself', async () => {
    await expect(sign(options('orders'))).rejects.toThrow(/no credential/);
    await expect(sign(options('orders', 'weft1.e30.AAAA'))).rejects.toThrow(/not made by this control plane/);
    const asControlPlane = { ...options('weft-control-plane', await token('orders')), namespace: 'weft-system' };
    await expect(sign(asControlPlane)).rejects.toThrow(/control plane's own/);
  });

  it('takes a living certificate for its own renewal, without a token', async () => {
    const identity = await sign(options('orders', await token('orders')));
    const current = () => ({ identity, roots: undefined });
    expect((await sign({ ...options('orders'), current })).notAfterMs).toBeGreaterThan(Date.now());
    await expect(sign({ ...options('payments'), current })).rejects.toThrow(/not for default\/payments/);
  });

  it('is believed only with a certificate from the anchors', async () => {
    writeFileSync(anchors, (await createRoot('weft.test', new Date())).certificatePem);
    await expect(sign(options('orders', await token('orders')))).rejects.toThrow(/No connection|certificate/);
  });

  it('neither makes tokens nor rotates roots', async () => {
    const remote = new IdentityClient(options('orders').address, credentials.createSsl(null, null, null, anyServer), {
      'grpc.ssl_target_name_override': 'weft-control-plane',
    });
    closers.push(() => remote.close());
    const code = (call: (done: (error: ServiceError | null) => void) => unknown) =>
      new Promise((resolve) => call((error) => resolve(status[error?.code ?? 0])));
    expect(await code((done) => remote.createJoinToken({ namespace: 'default', appId: 'orders', ttlMs: 1000 }, done))).toBe(
      'PERMISSION_DENIED',
    );
    expect(await code((done) => remote.rotateRoot({ propagationMs: 0 }, done))).toBe('PERMISSION_DENIED');
  });
});
