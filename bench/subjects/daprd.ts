import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from '../app-process.js';
import { ask, freePorts, type StartedProcess, startProcess, stopAll, waitFor } from '../process.js';
import type { BenchApp, Subject } from '../types.js';
import { writeResources } from './resources.js';

export interface DaprdPaths {
  readonly daprd: string;
  /** Needed for `actor-call` only. */
  readonly placement?: string;
  readonly workDir: string;
}

interface Launch {
  readonly appId: string;
  readonly app?: { readonly port: number; readonly protocol: 'http' | 'grpc' };
  readonly ports: readonly number[];
  readonly dir: string;
  readonly placementPort?: number;
}

const LOOPBACK = '127.0.0.1';

/** daprd as it is, mTLS off (standalone mode), bound to loopback only: its defaults listen on, and multicast to, every interface. */
export function daprd({ daprd: command, placement, workDir }: DaprdPaths): Subject {
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
      env: { DAPR_HOST_IP: LOOPBACK },
      workDir,
    });

  return {
    name: 'daprd',
    async start({ hops, appProtocol, appRole }) {
      const app = await startApp(appRole, workDir);
      const parts: { stop(): Promise<void> }[] = [app];
      const started: StartedProcess[] = [];
      const dir = newDir();
      const placementPort = appRole === 'actors' ? await startPlacement(placement, workDir, parts) : undefined;
      const start = async (appId: string, withApp: boolean) => {
        const ports = await freePorts(3);
        const appOption = withApp ? { port: portOf(app, appProtocol), protocol: appProtocol } : undefined;
        const sidecar = await launch({ appId, app: appOption, ports, dir, placementPort });
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

function sidecarArgs({ appId, app, ports: [http, grpc, internal], dir, placementPort }: Launch, resources: string): string[] {
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
  };
  return [...Object.entries(pairs).flatMap(([name, value]) => [`--${name}`, String(value)]), '--enable-metrics=false'];
}

/** The default name resolver is multicast DNS, so a database file in the work directory resolves names instead. */
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
