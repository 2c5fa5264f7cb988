import { systemClock } from '../lib/clock.js';
import type { NodeIdentity } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { findEnvoy } from './envoy/binary.js';
import { bootstrapOf } from './envoy/bootstrap.js';
import { findCaBundle } from './envoy/ca-bundle.js';
import { followEnvoy } from './envoy/follow.js';
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

export interface RunningEnvoy extends Envoy {
  /** Calls back when Envoy falls silent (true) and when it serves again (false). One listener. */
  onSilence(listener: (silent: boolean) => void): void;
}

/** Finds Envoy, starts it and keeps `health` right about it. @throws UsageError when there is no Envoy */
export async function runEnvoy(options: SidecarOptions, deps: RunEnvoyDeps): Promise<RunningEnvoy> {
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
    sockets: [sockets.loop, sockets.self, sockets.door, sockets.traced, sockets.tracedInbound],
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
  const probe = { admin: envoy.admin, loopback: sockets.loop, addresses };
  let running = new AbortController();
  function watch(): void {
    starts += 1;
    running.abort();
    running = new AbortController();
    const again = starts > 1;
    health.set('envoy', again ? 'Envoy ended and is started again' : 'Envoy does not serve yet');
    void followEnvoy(envoy, {
      again,
      untilServes: (until) => untilEnvoyServes(probe, until),
      onServes() {
        health.set('envoy', undefined);
        logger.info('Envoy serves', { pid: envoy.pid() });
        tell(false);
      },
      onSilent() {
        health.set('envoy', 'Envoy does not answer');
        logger.error('Envoy does not answer: other sidecars send nothing here until it does', { pid: envoy.pid() });
        tell(true);
      },
      onReplace: () => logger.error('Envoy still does not answer: it is killed and started again', { pid: envoy.pid() }),
      clock: systemClock,
      signal: AbortSignal.any([running.signal, signal]),
    });
  }
  let silent = false;
  let listener: (silent: boolean) => void = () => {};
  function tell(now: boolean): void {
    if (silent === now) return;
    silent = now;
    listener(now);
  }
  return {
    ...envoy,
    onSilence(next) {
      listener = next;
      if (silent) next(true);
    },
  };
}

/** An address that listens everywhere is tried where it is nearest. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
