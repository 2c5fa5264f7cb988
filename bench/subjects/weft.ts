import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from '../app-process.js';
import { sidecarTree } from '../measure/tree.js';
import { freePorts, type StartedProcess, startProcess, stopAll, waitFor } from '../process.js';
import type { BenchApp, Subject } from '../types.js';
import { writeResources } from './resources.js';

export interface WeftOptions {
  readonly door: 'envoy' | 'service';
  /** Path of the Envoy binary, so that no start looks for one. */
  readonly envoy: string;
  /** The command's script. Default: this tree's `bin/weft.mjs`. */
  readonly command?: string;
  readonly workDir: string;
}

interface Launch {
  readonly appId: string;
  readonly app?: { readonly port: number; readonly protocol: 'http' | 'grpc' };
  readonly ports: readonly number[];
  readonly controlPort: number;
}

const OWN_COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'weft.mjs');
const healthz = (port: number) => ({ port, path: '/v1.0/healthz' });
const portOf = (app: BenchApp, protocol: 'http' | 'grpc') => (protocol === 'grpc' ? app.grpcPort : app.httpPort);

/** Weft as it is built: a control plane (not measured) and one sidecar for each app. */
export function weft({ door, envoy, command = OWN_COMMAND, workDir }: WeftOptions): Subject {
  const env = (dir: string) => ({ WEFT_ENVOY: envoy, WEFT_HOME: dir, WEFT_RUNTIME_DIR: join(dir, 'run') });
  const launch = ({ appId, app, ports: [http, grpc], controlPort }: Launch, dir: string) => {
    const args = ['sidecar', '--app-id', appId, '--api-door', door, '--control-plane-address', `127.0.0.1:${controlPort}`];
    args.push('--dapr-http-port', `${http}`, '--dapr-grpc-port', `${grpc}`, '--log-level', 'warn');
    if (app) args.push('--app-port', `${app.port}`, '--app-protocol', app.protocol);
    return startProcess({ name: `weft-${appId}`, command: process.execPath, args: [command, ...args], env: env(dir), workDir });
  };
  const startControlPlane = async (dir: string) => {
    const [port = 0, httpPort = 0] = await freePorts(2);
    const args = [command, 'control-plane', '--port', `${port}`, '--http-port', `${httpPort}`];
    // Without TLS for everyone: bare Envoy and daprd have none either.
    args.push('--resources-path', writeResources(workDir), '--log-level', 'warn', '--enable-mtls=false');
    const started = await startProcess({ name: 'weft-control-plane', command: process.execPath, args, env: env(dir), workDir });
    await waitFor({ port: httpPort, path: '/healthz' }, { deadlineMs: 15_000, everyMs: 20, process: started }).catch(
      async (error) => {
        await started.stop();
        throw error;
      },
    );
    return { stop: () => started.stop(), port };
  };

  return {
    name: `weft-${door}`,
    async start({ hops, appProtocol, appRole }) {
      const dir = mkdtempSync(join(workDir, 'w-'));
      const app = await startApp(appRole, workDir);
      const parts: { stop(): Promise<void> }[] = [app];
      const started: StartedProcess[] = [];
      try {
        const control = await startControlPlane(dir);
        parts.push(control);
        const start = async (appId: string, withApp: boolean) => {
          const ports = await freePorts(2);
          const appOption = withApp ? { port: portOf(app, appProtocol), protocol: appProtocol } : undefined;
          const sidecar = await launch({ appId, app: appOption, ports, controlPort: control.port }, dir);
          started.push(sidecar);
          parts.push(sidecar);
          await waitFor(healthz(ports[0] ?? 0), { deadlineMs: 20_000, everyMs: 20, process: sidecar });
          return { httpPort: ports[0] ?? 0, grpcPort: ports[1] ?? 0 };
        };
        const near = await start('bench-app', true);
        const target = hops === 2 ? await start('bench-caller', false) : near;
        return { app, target, sidecars: () => started.flatMap(({ pid }) => sidecarTree(pid)), stop: () => stopAll(parts) };
      } catch (error) {
        await stopAll(parts);
        throw error;
      }
    },
    async startup() {
      const dir = mkdtempSync(join(workDir, 'w-'));
      const app = await startApp('plain', workDir);
      const control = await startControlPlane(dir);
      return {
        async once() {
          const ports = await freePorts(2);
          const begin = performance.now();
          const plan: Launch = {
            appId: 'bench-app',
            app: { port: app.httpPort, protocol: 'http' },
            ports,
            controlPort: control.port,
          };
          const started = await launch(plan, dir);
          try {
            await waitFor(healthz(ports[0] ?? 0), { deadlineMs: 20_000, everyMs: 5, process: started });
            return performance.now() - begin;
          } finally {
            await started.stop();
          }
        },
        stop: () => stopAll([app, control]),
      };
    },
  };
}
