import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { listenEarly } from '../../../../src/agent/identity/early-socket.js';
import { startSdsServer } from '../../../../src/agent/identity/sds-server.js';
import { svidSecrets } from '../../../../src/agent/identity/svid-secrets.js';
import { type SigningClient, startSvidSource, tryMs, untilRenewal } from '../../../../src/agent/identity/svid-source.js';
import { createRoot } from '../../../../src/control/ca/authority.js';
import { createCertificateAuthority } from '../../../../src/control/ca/certificate-authority.js';
import { Secret } from '../../../../src/gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import { DiscoveryRequest, type DiscoveryResponse } from '../../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { SecretDiscoveryServiceClient } from '../../../../src/gen/envoy/service/secret/v3/sds.js';
import { SDS_SECRETS } from '../../../../src/model/names.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function authority(leafTtlMs: number) {
  const root = await createRoot('weft.test', new Date());
  const state = { trustDomain: 'weft.test', roots: [{ ...root, signsFromMs: 0, trustedUntilMs: Date.now() + 1e9 }] };
  const ca = createCertificateAuthority({ state, leafTtlMs, clockSkewMs: 0 });
  cleanups.push(() => ca.close());
  return ca;
}

function clientOf(ca: Awaited<ReturnType<typeof authority>>, failures = 0): SigningClient & { calls: number } {
  const client = {
    calls: 0,
    async sign(csr: Uint8Array) {
      client.calls += 1;
      if (client.calls <= failures) throw new Error('control plane is away');
      const svid = await ca.sign(csr, { namespace: 'default', appId: 'orders' });
      return {
        chainPem: svid.chainPem,
        trustDomain: 'weft.test',
        notBeforeMs: svid.notBefore.getTime(),
        notAfterMs: svid.notAfter.getTime(),
      };
    },
    async *watchTrust(signal: AbortSignal) {
      yield ca.trusted();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
  return client;
}

describe('the SVID source', () => {
  it('survives a control plane that is away, and then renews with a new key before the certificate ends', async () => {
    const ca = await authority(6_000);
    const source = startSvidSource(clientOf(ca, 2), silentLogger);
    cleanups.push(() => source.close());
    await source.ready;
    const first = source.identity();
    await new Promise<void>((resolve) => source.onChange(resolve));
    const second = source.identity();
    expect(second?.privateKeyPem).not.toBe(first?.privateKeyPem);
    expect(Date.now()).toBeLessThan(first?.notAfterMs ?? 0);
    expect(new X509Certificate(second?.chainPem ?? '').subjectAltName).toBe('URI:spiffe://weft.test/ns/default/orders');
  });

  it('gives up a call that is never answered while there is time for others', async () => {
    const ca = await authority(12_000);
    const client = clientOf(ca);
    const deaf: SigningClient = {
      ...client,
      async sign(csr, signal, deadlineMs) {
        // The first renewal: taken, and never answered.
        if (client.calls !== 1) return client.sign(csr, signal, deadlineMs);
        client.calls += 1;
        await new Promise((resolve) => setTimeout(resolve, deadlineMs));
        throw new Error('deadline');
      },
    };
    const source = startSvidSource(deaf, silentLogger);
    cleanups.push(() => source.close());
    await source.ready;
    const first = source.identity();
    await new Promise<void>((resolve) => source.onChange(resolve));
    expect(Date.now()).toBeLessThan(first?.notAfterMs ?? 0);
    expect(source.history()).toMatchObject({ issued: 2, failedRenewals: 1 });
  }, 20_000);

  it('lets a try take a quarter of what is left, and ten seconds when nothing is', () => {
    expect(tryMs({ notAfterMs: 9_000 }, 1_000)).toBe(2_000);
    expect(tryMs({ notAfterMs: 3_600_000 }, 0)).toBe(10_000);
    expect(tryMs({ notAfterMs: 1_000 }, 900)).toBe(2_000);
    expect(tryMs({ notAfterMs: 1_000 }, 2_000)).toBe(10_000);
    expect(tryMs(undefined, 0)).toBe(10_000);
  });

  it('plans the renewal at about 70 % of what is left', () => {
    const wait = untilRenewal({ notBeforeMs: 0, notAfterMs: 100_000 }, 0);
    expect(wait).toBeGreaterThan(66_000);
    expect(wait).toBeLessThanOrEqual(70_000);
  });
});

describe('the SDS server', () => {
  it('gives Envoy key, chain and roots, and pushes again after a rotation', async () => {
    const ca = await authority(2_000);
    const source = startSvidSource(clientOf(ca), silentLogger);
    cleanups.push(() => source.close());
    const dir = mkdtempSync(join(tmpdir(), 'weft-sds-'));
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
    const server = startSdsServer(await listenEarly(join(dir, 'sds.sock')), silentLogger);
    server.add(svidSecrets(source));
    cleanups.push(() => server.close());
    const client = new SecretDiscoveryServiceClient(`unix:${join(dir, 'sds.sock')}`, credentials.createInsecure());
    cleanups.push(() => client.close());
    const stream = client.streamSecrets();
    stream.on('error', (error: ServiceError) =>
      expect(error.details).toMatch(/Cancelled|UNAVAILABLE|Connection dropped|Channel closed/),
    );
    const responses: DiscoveryResponse[] = [];
    const two = new Promise<void>((resolve) =>
      stream.on('data', (response: DiscoveryResponse) => {
        responses.push(response);
        if (responses.length === 2) resolve();
      }),
    );
    stream.write(DiscoveryRequest.fromPartial({ resourceNames: [SDS_SECRETS.identity, SDS_SECRETS.roots] }));
    await two;
    stream.cancel();
    const secrets = responses.map((response) => response.resources.map((any) => Secret.decode(any.value)));
    expect(secrets[0]?.map((secret) => secret.name)).toEqual([SDS_SECRETS.identity, SDS_SECRETS.roots]);
    expect(secrets[0]?.[0]?.type?.$case).toBe('tlsCertificate');
    expect(responses[0]?.versionInfo).not.toBe(responses[1]?.versionInfo);
  });
});
