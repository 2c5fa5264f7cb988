import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { FEATURES, type Feature } from '../types.js';

/** Configuration and resources that put the chosen features on; the same YAML for Weft and daprd. */
export interface FeatureFiles {
  readonly config: string;
  readonly resources: string;
  stop(): Promise<void>;
}

/** @returns all features but those that are left out */
export const featuresWithout = (left: readonly Feature[]): readonly Feature[] => FEATURES.filter((one) => !left.includes(one));

/** Writes the files below `dir` and starts the collector that their spans go to. */
export async function writeFeatures(features: readonly Feature[], dir: string): Promise<FeatureFiles> {
  const on = (feature: Feature) => features.includes(feature);
  const collector = on('tracing') ? await startCollector() : undefined;
  const resources = join(dir, 'features');
  mkdirSync(resources, { recursive: true });
  const config = join(dir, 'features.yaml');
  const spec = {
    ...(on('access') ? { accessControl } : {}),
    ...(collector ? { tracing: tracing(collector.port) } : {}),
    metrics: { enabled: on('metrics') },
  };
  // JSON is YAML too.
  const kind = { apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'features' } };
  writeFileSync(config, JSON.stringify({ ...kind, spec }));
  if (on('resiliency')) writeFileSync(join(resources, 'resiliency.yaml'), JSON.stringify(resiliency));
  return { config, resources, stop: async () => collector?.stop() };
}

const TRUST_DOMAIN = 'public';
const rule = (name: string) => ({ name, httpVerb: ['*'], action: 'allow' });
/** Denies everything but what the rows call, and lists more than one caller, as a real policy does. */
const accessControl = {
  defaultAction: 'deny',
  trustDomain: TRUST_DOMAIN,
  policies: ['bench-caller', 'another-caller', 'a-third-caller'].map((appId) => ({
    appId,
    defaultAction: 'deny',
    trustDomain: TRUST_DOMAIN,
    namespace: 'default',
    operations: ['/ping', '/stream', '/large/**', '/bench.Echo/Say'].map(rule),
  })),
};

/** The sampling rate of the row's goal: one trace in ten thousand. */
const tracing = (port: number) => ({
  samplingRate: '0.0001',
  otel: { endpointAddress: `127.0.0.1:${port}`, isSecure: false, protocol: 'http' },
});

const resiliency = {
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Resiliency',
  metadata: { name: 'features' },
  spec: {
    policies: {
      timeouts: { general: '60s' },
      retries: { few: { policy: 'exponential', maxInterval: '2s', maxRetries: 3 } },
      // A load generator breaks off one call a connection when its time is over, and daprd counts those as failures: the
      // breaker must outlast them, or it answers the next round by itself.
      circuitBreakers: { breaker: { maxRequests: 1, interval: '8s', timeout: '10s', trip: 'consecutiveFailures > 1000' } },
    },
    targets: { apps: { 'bench-app': { timeout: 'general', retry: 'few', circuitBreaker: 'breaker' } } },
  },
};

/** Takes whatever comes and forgets it. */
async function startCollector() {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
