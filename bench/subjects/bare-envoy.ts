import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from '../app-process.js';
import { freePorts, type StartedProcess, startProcess, stopAll, waitFor } from '../process.js';
import type { Subject } from '../types.js';
import { type HopConfig, hopConfig, INVOKE_PREFIX } from './bare-envoy-config.js';
import { writeCertificates } from './certificates.js';

const ready = { deadlineMs: 15_000, everyMs: 5 };

/** Stock Envoy, one worker, with a configuration written by hand for the same hops; blocks are the app over a Unix socket. */
export function bareEnvoy(envoy: string, workDir: string): Subject {
  const launch = (config: HopConfig) => {
    const file = join(workDir, `envoy-${config.listenPort}.json`);
    writeFileSync(file, hopConfig(config));
    const args = ['-c', file, '--concurrency', '1', '--use-dynamic-base-id', '--disable-hot-restart', '-l', 'warn'];
    return startProcess({ name: 'envoy', command: envoy, args, workDir });
  };
  const healthz = (port: number) => ({ port, path: '/v1.0/healthz' });

  return {
    name: 'bare-envoy',
    async start({ hops, appProtocol, appRole, allFeatures }) {
      const app = await startApp(appRole, workDir);
      const parts: { stop(): Promise<void> }[] = [app];
      const started: StartedProcess[] = [];
      const [first = 0, second = 0] = await freePorts(2);
      const protocol = appProtocol;
      // Of all features it gets mTLS only: what the others cost on top is Weft's to show.
      const certificates = allFeatures ? await writeCertificates(['near', 'far'], workDir) : undefined;
      const tlsOf = (name: 'near' | 'far', side: 'from' | 'to') =>
        certificates ? { tls: { own: certificates[name], [side]: certificates[name === 'near' ? 'far' : 'near'].uri } } : {};
      const toApp = { port: protocol === 'grpc' ? app.grpcPort : app.httpPort };
      const chain: readonly HopConfig[] =
        hops === 2
          ? [
              { listenPort: second, to: toApp, protocol, ...tlsOf('near', 'from') },
              { listenPort: first, to: { port: second }, protocol, stripPrefix: INVOKE_PREFIX, ...tlsOf('far', 'to') },
            ]
          : [{ listenPort: first, to: { pipe: app.socketPath }, protocol }];
      try {
        for (const config of chain) {
          const envoyProcess = await launch(config);
          started.push(envoyProcess);
          parts.push(envoyProcess);
          // Who asks for a certificate answers no plain question: the hop before it shows that it serves.
          if (!config.tls?.from) await waitFor(healthz(config.listenPort), { ...ready, process: envoyProcess });
        }
      } catch (error) {
        await stopAll(parts);
        throw error;
      }
      return {
        app,
        target: { httpPort: first, grpcPort: first },
        sidecars: () => started.map(({ pid }) => ({ pid, part: 'envoy' })),
        stop: () => stopAll(parts),
      };
    },
    async startup() {
      const app = await startApp('plain', workDir);
      return {
        async once() {
          const [port = 0] = await freePorts(1);
          const begin = performance.now();
          const started = await launch({ listenPort: port, to: { port: app.httpPort }, protocol: 'http' });
          try {
            await waitFor(healthz(port), { ...ready, process: started });
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
