import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../src/lib/async.js';
import { startApp } from '../app-process.js';
import { sidecarTree } from '../measure/tree.js';
import { freePorts, type StartedProcess, startProcess, stopAll, waitFor } from '../process.js';
import type { BenchApp, Feature, Subject } from '../types.js';
import { watchCalls } from './call-watch.js';
import { featuresWithout, writeFeatures } from './features.js';
import { writeResources } from './resources.js';
import { watchRoutes } from './route-watch.js';

export interface WeftOptions {
  readonly door: 'envoy' | 'service';
  /** Path of the Envoy binary, so that no start looks for one. */
  readonly envoy: string;
  /** The command's script. Default: this tree's `bin/weft.mjs`. */
  readonly command?: string;
  /** Left out where all features are on. */
  readonly without: readonly Feature[];
  readonly workDir: string;
}

interface Launch {
  readonly appId: string;
  readonly app?: { readonly port: number; readonly protocol: 'http' | 'grpc' };
  readonly ports: readonly number[];
  readonly controlPort: number;
  readonly features?: readonly Feature[];
}

/** A little more than the time within which an Envoy that ends counts as one that does not start. */
const STEADY_MS = 5500;
const OWN_COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'weft.mjs');
const healthz = (port: number) => ({ port, path: '/v1.0/healthz' });
const portOf = (app: BenchApp, protocol: 'http' | 'grpc') => (protocol === 'grpc' ? app.grpcPort : app.httpPort);

/** Weft as it is built: a control plane (not measured) and one sidecar for each app. */
export function weft({ door, envoy, command = OWN_COMMAND, without, workDir }: WeftOptions): Subject {
  const env = (dir: string) => ({ WEFT_ENVOY: envoy, WEFT_HOME: dir, WEFT_RUNTIME_DIR: join(dir, 'run') });
  const launch = ({ appId, app, ports: [http, grpc], controlPort, features }: Launch, dir: string) => {
    const args = ['sidecar', '--app-id', appId, '--api-door', door, '--control-plane-address', `127.0.0.1:${controlPort}`];
    args.push('--dapr-http-port', `${http}`, '--dapr-grpc-port', `${grpc}`, '--log-level', 'warn');
    if (features && !features.includes('metrics')) args.push('--enable-metrics=false');
    if (app) args.push('--app-port', `${app.port}`, '--app-protocol', app.protocol);
    return startProcess({ name: `weft-${appId}`, command: process.execPath, args: [command, ...args], env: env(dir), workDir });
  };
  const startControlPlane = async (
    dir: string,
    { features, routes }: { features?: readonly Feature[] | undefined; routes?: string } = {},
  ) => {
    const [port = 0, httpPort = 0] = await freePorts(2);
    const args = [command, 'control-plane', '--port', `${port}`, '--http-port', `${httpPort}`];
    args.push('--resources-path', writeResources(workDir), '--log-level', 'warn');
    if (routes) args.push('--resources-path', routes);
    const files = features && (await writeFeatures(features, dir));
    if (files) args.push('--resources-path', files.resources, '--config', files.config);
    // Where mTLS is not the row's subject, nobody has it: bare Envoy and daprd neither.
    if (!features?.includes('mtls')) args.push('--enable-mtls=false');
    const started = await startProcess({ name: 'weft-control-plane', command: process.execPath, args, env: env(dir), workDir });
    await waitFor({ port: httpPort, path: '/healthz' }, { deadlineMs: 15_000, everyMs: 20, process: started }).catch(
      async (error) => {
        await stopAll([...(files ? [files] : []), started]);
        throw error;
      },
    );
    return { stop: () => stopAll([...(files ? [files] : []), started]), port };
  };

  /** A control plane, a plain app with its sidecar, and callers' sidecars; more on demand. */
  const startMesh = async (dir: string, { callers, routes }: { readonly callers: number; readonly routes?: string }) => {
    const app = await startApp('plain', workDir);
    const parts: { stop(): Promise<void> }[] = [app];
    const stop = () => stopAll(parts);
    try {
      const control = await startControlPlane(dir, routes ? { routes } : {});
      parts.push(control);
      const start = async (appId: string, withApp: boolean) => {
        const ports = await freePorts(2);
        const plan = withApp ? { port: app.httpPort, protocol: 'http' as const } : undefined;
        const sidecar = await launch({ appId, ...(plan ? { app: plan } : {}), ports, controlPort: control.port }, dir);
        parts.push(sidecar);
        await waitFor(healthz(ports[0] ?? 0), { deadlineMs: 20_000, everyMs: 5, process: sidecar });
        return { sidecar, port: ports[0] ?? 0 };
      };
      const own = await start('bench-app', true);
      const ports: number[] = [];
      for (let index = 0; index < callers; index++) ports.push((await start(`bench-caller-${index}`, false)).port);
      return { app: own, callers: ports, start, stop };
    } catch (error) {
      await stop();
      throw error;
    }
  };

  return {
    name: `weft-${door}`,
    async start({ hops, appProtocol, appRole, allFeatures }) {
      const features = allFeatures ? featuresWithout(without) : undefined;
      const dir = mkdtempSync(join(workDir, 'w-'));
      const app = await startApp(appRole, workDir);
      const parts: { stop(): Promise<void> }[] = [app];
      const started: StartedProcess[] = [];
      try {
        const control = await startControlPlane(dir, { features });
        parts.push(control);
        const start = async (appId: string, withApp: boolean) => {
          const ports = await freePorts(2);
          const appOption = withApp ? { port: portOf(app, appProtocol), protocol: appProtocol } : undefined;
          const sidecar = await launch({ appId, app: appOption, ports, controlPort: control.port, features }, dir);
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
    async routeChange(callers) {
      const dir = mkdtempSync(join(workDir, 'w-'));
      const routes = watchRoutes(join(dir, 'routes'));
      const mesh = await startMesh(dir, { callers, routes: join(dir, 'routes') });
      const stop = async () => {
        routes.close();
        await mesh.stop();
      };
      await routes.change(mesh.callers).catch(async (error) => {
        await stop();
        throw error;
      });
      return { once: () => routes.change(mesh.callers), stop };
    },
    async newApp(callers) {
      const calls = watchCalls();
      const mesh = await startMesh(mkdtempSync(join(workDir, 'w-')), { callers });
      let count = 0;
      return {
        async once() {
          count += 1;
          const appId = `bench-new-${count}`;
          const fresh = await mesh.start(appId, true);
          const ready = performance.now();
          try {
            return (await calls.untilCallable(mesh.callers, appId)) - ready;
          } finally {
            await fresh.sidecar.stop();
          }
        },
        async stop() {
          calls.close();
          await mesh.stop();
        },
      };
    },
    async envoyRecovery() {
      const calls = watchCalls();
      const mesh = await startMesh(mkdtempSync(join(workDir, 'w-')), { callers: 1 });
      return {
        async once() {
          await calls.untilCallable(mesh.callers, 'bench-app');
          const envoy = sidecarTree(mesh.app.sidecar.pid).find(({ part }) => part === 'envoy');
          if (!envoy) throw new Error('the sidecar of the app has no Envoy');
          const begin = performance.now();
          process.kill(envoy.pid, 'SIGKILL');
          const took = (await calls.untilCallable(mesh.callers, 'bench-app')) - begin;
          // Ends that follow each other closely are answered with pauses: a start that fails again and again is another matter.
          await sleep(STEADY_MS);
          return took;
        },
        async stop() {
          calls.close();
          await mesh.stop();
        },
      };
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
