import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from '../app-process.js';
import { ask, freePorts, type StartedProcess, startProcess, stopAll, waitFor } from '../process.js';
import { type BenchApp, FEATURES, type Subject } from '../types.js';
import { type FeatureFiles, writeFeatures } from './features.js';
import { writeResources } from './resources.js';

export interface DaprdPaths {
  readonly daprd: string;
  /** Needed for `actor-call` only. */
  readonly placement?: string;
  /** Needed where all features are on, for mTLS. */
  readonly sentry?: string;
  readonly workDir: string;
}

interface Launch {
  readonly appId: string;
  readonly app?: { readonly port: number; readonly protocol: 'http' | 'grpc' };
  readonly ports: readonly number[];
  readonly dir: string;
  readonly placementPort?: number;
  /** Present: mTLS and all other features are on. */
  readonly secured?: { readonly sentry: Sentry; readonly features: FeatureFiles };
}

interface Sentry {
  readonly port: number;
  readonly trustAnchors: string;
}

const LOOPBACK = '127.0.0.1';
const NAMESPACE = 'default';
const TRUST_DOMAIN = 'public';

/** Sentry does not start without one outside Kubernetes. */
const SENTRY_CONFIGURATION = `apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: daprsystem
spec:
  mtls:
    enabled: true
    workloadCertTTL: 24h
    allowedClockSkew: 15m
`;

/** daprd as it is in standalone mode, mTLS off unless the row has all features on, bound to loopback only: its defaults listen on, and multicast to, every interface. */
export function daprd({ daprd: command, placement, sentry, workDir }: DaprdPaths): Subject {
  const newDir = () => {
    const dir = mkdtempSync(join(workDir, 'daprd-'));
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'config.yaml'), configuration(dir));
    return dir;
  };
  const launch = async (plan: Launch): Promise<StartedProcess> =>
    startProcess({
      name: `daprd-${plan.appId}`,
      command,
      args: sidecarArgs(plan, writeResources(workDir)),
      env: {
        DAPR_HOST_IP: LOOPBACK,
        NAMESPACE,
        ...(plan.secured ? { DAPR_TRUST_ANCHORS: plan.secured.sentry.trustAnchors } : {}),
      },
      workDir,
    });

  return {
    name: 'daprd',
    async start({ hops, appProtocol, appRole, allFeatures }) {
      const app = await startApp(appRole, workDir);
      const parts: { stop(): Promise<void> }[] = [app];
      const started: StartedProcess[] = [];
      const dir = newDir();
      const placementPort = appRole === 'actors' ? await startPlacement(placement, workDir, parts) : undefined;
      const secured = allFeatures ? await startSecured(sentry, dir, parts) : undefined;
      const start = async (appId: string, withApp: boolean) => {
        const ports = await freePorts(3);
        const appOption = withApp ? { port: portOf(app, appProtocol), protocol: appProtocol } : undefined;
        const sidecar = await launch({ appId, app: appOption, ports, dir, placementPort, secured });
        started.push(sidecar);
        parts.push(sidecar);
        await waitFor(healthz(ports[0] ?? 0), { deadlineMs: 20_000, everyMs: 50, process: sidecar });
        return { httpPort: ports[0] ?? 0, grpcPort: ports[1] ?? 0 };
      };
      try {
        const near = await start('bench-app', true);
        const target = hops === 2 ? await start('bench-caller', false) : near;
        const sidecars = () => started.map(({ pid }) => ({ pid, part: 'daprd' as const }));
        return { app, target, sidecars, stop: () => stopAll(parts) };
      } catch (error) {
        await stopAll(parts);
        throw error;
      }
    },
    async startup() {
      const app = await startApp('plain', workDir);
      return {
        async once() {
          const ports = await freePorts(3);
          const dir = newDir();
          const begin = performance.now();
          const started = await launch({ appId: 'bench-app', app: { port: app.httpPort, protocol: 'http' }, ports, dir });
          try {
            await waitFor(healthz(ports[0] ?? 0), { deadlineMs: 20_000, everyMs: 5, process: started });
            return performance.now() - begin;
          } finally {
            await started.stop();
          }
        },
        stop: () => app.stop(),
      };
    },
  };
}

const healthz = (port: number) => ({ port, path: '/v1.0/healthz' });
const portOf = (app: BenchApp, protocol: 'http' | 'grpc') => (protocol === 'grpc' ? app.grpcPort : app.httpPort);

function sidecarArgs(
  { appId, app, ports: [http, grpc, internal], dir, placementPort, secured }: Launch,
  resources: string,
): string[] {
  const pairs: Record<string, string | number> = {
    mode: 'standalone',
    'app-id': appId,
    'dapr-listen-addresses': LOOPBACK,
    'dapr-http-port': http ?? 0,
    'dapr-grpc-port': grpc ?? 0,
    'dapr-internal-grpc-listen-address': LOOPBACK,
    'dapr-internal-grpc-port': internal ?? 0,
    'resources-path': resources,
    config: join(dir, 'config.yaml'),
    'log-level': 'warn',
    ...(app ? { 'app-port': app.port, 'app-protocol': app.protocol, 'app-channel-address': LOOPBACK } : {}),
    ...(placementPort ? { 'placement-host-address': `${LOOPBACK}:${placementPort}` } : {}),
    ...(secured ? securedPairs(secured.sentry) : {}),
  };
  // Metrics are a listener more; on a port of its own where they are a feature of the row.
  const metrics = secured
    ? ['--enable-mtls=true', '--metrics-port', '0', '--metrics-listen-address', LOOPBACK]
    : ['--enable-metrics=false'];
  const more = secured ? ['--resources-path', secured.features.resources, '--config', secured.features.config] : [];
  return [...Object.entries(pairs).flatMap(([name, value]) => [`--${name}`, String(value)]), ...more, ...metrics];
}

const securedPairs = ({ port }: Sentry) => ({
  'sentry-address': `${LOOPBACK}:${port}`,
  'control-plane-trust-domain': TRUST_DOMAIN,
  'control-plane-namespace': NAMESPACE,
});

/** daprd's certificate authority, which makes its own root, and the same features that Weft gets. */
async function startSecured(command: string | undefined, dir: string, parts: { stop(): Promise<void> }[]) {
  if (!command) throw new Error('daprd needs --sentry PATH for mTLS');
  const [port = 0, health = 0] = await freePorts(2);
  const credentials = mkdtempSync(join(dir, 'sentry-'));
  const config = join(credentials, 'sentry.yaml');
  writeFileSync(config, SENTRY_CONFIGURATION);
  const args = ['--config', config, '--issuer-credentials', credentials, '--listen-address', LOOPBACK, '--port', `${port}`];
  // Its metrics would listen on every interface, whatever their flag says.
  args.push('--healthz-port', `${health}`, '--trust-domain', TRUST_DOMAIN, '--enable-metrics=false');
  const started = await startProcess({ name: 'sentry', command, args, workDir: dir });
  parts.push(started);
  await waitFor({ port: health, path: '/healthz' }, { deadlineMs: 10_000, everyMs: 100, process: started });
  const features = await writeFeatures(FEATURES, dir);
  parts.push(features);
  const trustAnchors = readFileSync(join(credentials, 'ca.crt'), 'utf8');
  return { sentry: { port, trustAnchors }, features };
}

/**
 * The default name resolver is multicast DNS, so a database file in the work directory resolves names instead. An entry there is good for
 * `updateInterval` in whole seconds and is renewed just a second before: with the default of 5 s one renewal that came late on a busy machine
 * left daprd without its callee, at one to twelve requests a second. The interval is longer than any row.
 */
function configuration(dir: string): string {
  return `apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: bench
spec:
  nameResolution:
    component: sqlite
    version: v1
    configuration:
      connectionString: ${JSON.stringify(join(dir, 'names.db'))}
      updateInterval: 1h
  tracing:
    samplingRate: "0"
`;
}

async function startPlacement(command: string | undefined, workDir: string, parts: { stop(): Promise<void> }[]): Promise<number> {
  if (!command) throw new Error('daprd needs --placement PATH for actors');
  const [port = 0, raft = 0, health = 0] = await freePorts(3);
  const args = ['--listen-address', LOOPBACK, '--port', `${port}`, '--healthz-listen-address', LOOPBACK];
  args.push('--healthz-port', `${health}`, '--initial-cluster', `dapr-placement-0=${LOOPBACK}:${raft}`, '--enable-metrics=false');
  const started = await startProcess({ name: 'placement', command, args, workDir });
  parts.push(started);
  const end = performance.now() + 10_000;
  while ((await ask({ port: health, path: '/healthz' })).status !== 200) {
    if (performance.now() > end) throw new Error(`placement is not ready: ${started.tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return port;
}
