import type { NodeIdentity } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { findEnvoy } from './envoy/binary.js';
import { bootstrapOf } from './envoy/bootstrap.js';
import { findCaBundle } from './envoy/ca-bundle.js';
import { type Envoy, startEnvoy } from './envoy/process.js';
import { type Health, untilEnvoyServes } from './health.js';
import { apiDoorOf, type SidecarOptions } from './options.js';
import type { RunDir } from './run-dir.js';

export interface RunEnvoyDeps {
  readonly node: NodeIdentity;
  readonly inboundPort: number;
  readonly runDir: RunDir;
  readonly health: Health;
  /** Takes the lines of Envoy's access log. */
  readonly takeCall: (line: string) => boolean;
  readonly logger: Logger;
  /** Whether the mesh has mTLS of ours. */
  readonly mtls: boolean;
  /** Aborted: nobody waits for Envoy to serve any more. */
  readonly signal: AbortSignal;
}

/** Longest that a replaced listener's connections live on, seconds. */
const DRAIN_SECONDS = 10;

/** Finds Envoy, starts it and keeps `health` right about it. @throws UsageError when there is no Envoy */
export async function runEnvoy(options: SidecarOptions, deps: RunEnvoyDeps): Promise<Envoy> {
  const { runDir, health, logger, signal } = deps;
  const { sockets } = runDir;
  const { path: binary } = await findEnvoy();
  let starts = 0;
  const envoy = startEnvoy({
    binary,
    bootstrap: bootstrapOf({
      node: deps.node,
      controlPlane: options.controlPlaneAddress,
      adminSocket: sockets.admin,
      caBundle: findCaBundle(),
      sdsSocket: sockets.sds,
      mtls: deps.mtls,
    }),
    bootstrapPath: runDir.bootstrap,
    adminSocket: sockets.admin,
    sockets: [sockets.loop, sockets.self, sockets.door],
    concurrency: options.envoyConcurrency,
    drainSeconds: DRAIN_SECONDS,
    logLevel: options.logLevel,
    logger,
    takeCall: deps.takeCall,
    onStart: () => queueMicrotask(watch),
  });

  const addresses: { host: string; port: number }[] = [];
  // Without an app there is nothing to call, and no inbound listener.
  if (options.appPort > 0) addresses.push({ host: reachable(options.inboundAddress), port: deps.inboundPort });
  if (apiDoorOf(options) === 'envoy') {
    const host = reachable(options.listenAddresses[0] ?? '127.0.0.1');
    addresses.push({ host, port: options.httpPort }, { host, port: options.grpcPort });
  }
  let waiting = new AbortController();
  function watch(): void {
    starts += 1;
    waiting.abort();
    waiting = new AbortController();
    const mine = AbortSignal.any([waiting.signal, signal]);
    health.set('envoy', starts === 1 ? 'Envoy does not serve yet' : 'Envoy ended and is started again');
    void untilEnvoyServes({ admin: envoy.admin, loopback: sockets.loop, addresses }, mine).then(() => {
      if (mine.aborted) return;
      health.set('envoy', undefined);
      logger.info('Envoy serves', { pid: envoy.pid() });
    });
  }
  return envoy;
}

/** An address that listens everywhere is tried where it is nearest. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
