import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from './mesh.js';

/** A mesh with every feature of the data plane on: mTLS, access rules, resiliency, tracing, metrics. */
export interface FeaturedMesh extends Mesh {
  /** Writes a file among the control plane's resources, as people save one. */
  resource(name: string, text: string): void;
}

/** How hard the chaos tests pull. By hand: `WEFT_CHAOS_RATE=1000 WEFT_CHAOS_SECONDS=300 npx vitest run test/chaos/…`. */
export const CHAOS = {
  perSecond: Number(process.env.WEFT_CHAOS_RATE) || 100,
  /** Of the soak. */
  seconds: Number(process.env.WEFT_CHAOS_SECONDS) || 12,
} as const;

const allow = (appId: string) => ({ appId, defaultAction: 'allow', trustDomain: 'public', namespace: 'default' });

export async function createFeaturedMesh(controlPlane: readonly string[] = []): Promise<FeaturedMesh> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-features-'));
  const resources = join(dir, 'resources');
  mkdirSync(resources);
  const collector = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const endpointAddress = `127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const spec = {
    tracing: { samplingRate: '0.01', otel: { endpointAddress, isSecure: false, protocol: 'http' } },
    accessControl: { defaultAction: 'deny', trustDomain: 'public', policies: [allow('caller'), allow('other')] },
  };
  writeFileSync(
    join(dir, 'config.yaml'),
    JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'all' }, spec }),
  );
  const resource = (name: string, text: string) => writeFileSync(join(resources, name), text);
  resource('resiliency.yaml', RESILIENCY);
  const args = ['--config', join(dir, 'config.yaml'), '--resources-path', resources, ...controlPlane];
  const mesh = await createMesh({ controlPlane: args });
  return {
    ...mesh,
    resource,
    async close() {
      await mesh.close();
      collector.close();
      collector.closeAllConnections();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const RESILIENCY = `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec:
  policies:
    timeouts: { general: 10s }
    retries: { few: { policy: constant, duration: 50ms, maxRetries: 3, matching: { httpStatusCodes: "502-504" } } }
    circuitBreakers: { breaker: { maxRequests: 1, timeout: 5s, trip: "consecutiveFailures > 50" } }
  targets: { apps: { orders: { timeout: general, retry: few, circuitBreaker: breaker } } }
`;
