import { randomBytes } from 'node:crypto';
import { deferred } from '../lib/async.js';
import { systemClock } from '../lib/clock.js';
import { CALL_MARK } from '../model/access-log.js';
import type { Logger } from '../telemetry/logger.js';
import { watchAppHealth } from './app-health.js';
import { waitForApp } from './app-wait.js';
import type { AttachClient } from './attach-client.js';
import { errorLog, logCall, middlewareLog, type WordedError } from './envoy/call-log.js';
import type { FilterService } from './filter-service.js';
import { createHealth, type Health } from './health.js';
import { findIdentityService } from './identity/discover.js';
import { listenEarly } from './identity/early-socket.js';
import { LEASE_MARGIN_MS, watchLease } from './lease-watch.js';
import type { SidecarOptions } from './options.js';
import { untilPipelineServes } from './pipeline-ready.js';
import { checkPorts, pickInboundPort } from './ports.js';
import { makeRunDir } from './run-dir.js';
import { runEnvoy } from './run-envoy.js';

export interface SidecarDeps {
  readonly logger: Logger;
  /** A client of the API asked for the end; `force`: without draining. */
  readonly onShutdown: (force: boolean) => void;
  /** Aborted while the sidecar still starts (it may wait for a control plane without end): the start is undone. */
  readonly signal: AbortSignal;
}

export interface Sidecar {
  /** Resolves the first time that everything serves, the app too. */
  readonly ready: Promise<void>;
  /** Rejects with a UsageError when it cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** How many calls the app has not answered yet. */
  callsOfApp(): Promise<number>;
  /** Gives the app nothing new and waits for what is under way, at most so many milliseconds. The API goes on; `drain` is to follow. */
  releaseApp(ms: number): Promise<void>;
  /** Stops gracefully. Idempotent. */
  drain(): Promise<void>;
}

/** Ends in reverse order what has been started so far. */
class Undo {
  readonly #steps: (() => unknown)[] = [];
  #done = false;
  add(step: () => unknown): void {
    if (this.#done) void step();
    else this.#steps.push(step);
  }
  async run(): Promise<void> {
    this.#done = true;
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

/**
 * Starts one sidecar: Envoy, the filter service, and their ties to the control plane. Resolves when the API listens; the app may come later.
 * @throws UsageError for whatever the person who started it can mend, and the signal's reason; nothing is left running then
 */
export async function startSidecar(options: SidecarOptions, deps: SidecarDeps): Promise<Sidecar> {
  const undo = new Undo();
  try {
    return await Promise.race([compose(options, deps, undo), whenAborted(deps.signal)]);
  } catch (error) {
    await undo.run();
    throw error;
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}

async function compose(options: SidecarOptions, { logger, onShutdown }: SidecarDeps, undo: Undo): Promise<Sidecar> {
  // Whatever can be wrong before anything runs.
  await checkPorts(options);
  const inboundPort = await pickInboundPort(options);

  const id = randomBytes(5).toString('hex');
  const instanceId = `${options.appId}-${id}`;
  const identity = { namespace: options.namespace, appId: options.appId, instanceId };
  const health = createHealth();
  const running = new AbortController();
  const failed = deferred<never>();
  failed.promise.catch(() => {});
  undo.add(() => running.abort());
  const runDir = makeRunDir(id);
  undo.add(runDir.remove);

  // Envoy starts while Node still loads its own modules.
  const { signal } = running;
  const node = { ...identity, role: 'envoy' } as const;
  const identityService = await findIdentityService(options, logger, signal);
  const mtls = identityService !== undefined;
  const sdsSocket = await listenEarly(runDir.sockets.sds);
  undo.add(sdsSocket.close);
  // Of calls that Envoy routes; with --enable-api-logging none goes to Envoy unseen.
  let apiLog: FilterService['apiLog'] = () => undefined;
  let countWorded: (error: WordedError) => void = () => {};
  const takeFailure = middlewareLog(logger);
  const takeError = errorLog((error) => countWorded(error));
  const takeCall = (line: string) =>
    line.startsWith(CALL_MARK)
      ? options.apiLogging || logCall(line, logger, apiLog() ?? {})
      : takeError(line) || takeFailure(line);
  const envoy = await runEnvoy(options, { node, inboundPort, runDir, health, logger, signal, mtls, takeCall });
  undo.add(envoy.stop);
  envoy.failed.catch(failed.reject);
  const parts = await import('./late-parts.js');

  // Spans: Envoy's come to us.
  const tracing = parts.createTracing(options.appId, logger);
  undo.add(tracing.close);
  const spanSink = await parts.startSpanSink(runDir.sockets.spans, tracing.takeEnvoySpans);
  undo.add(spanSink.close);

  // The control plane: instances report up, configuration comes down.
  const join = { ...identity, ...options.join };
  const sds = parts.startSdsServer(sdsSocket, logger);
  undo.add(sds.close);
  const own = identityService ? parts.startSidecarIdentity({ ...join, address: identityService, sds }, logger) : undefined;
  undo.add(() => own?.close());
  own?.ready.catch(failed.reject);
  const channel = parts.openControlPlaneChannel(options.controlPlaneAddress, own?.credentials);
  undo.add(channel.close);
  const localFiles = parts.writeLocalSecrets({ dir: runDir.path, ...options });
  const instance = parts.instanceOf(options, { instanceId, inboundPort, runDir, localFiles });
  const attach: AttachClient = parts.startAttachClient({ channel, instance, logger });
  undo.add(() => attach.close());
  attach.refused.catch(failed.reject);
  envoy.onSilence((proxySilent) => attach.update({ proxySilent }));
  const config = parts.createConfigClient({ channel, node: { ...identity, role: 'service' }, logger });
  undo.add(() => config.close());

  // Blocks and API.
  const leaseValid = () => systemClock.now() < attach.leaseValidUntil() - LEASE_MARGIN_MS;
  const { loop, door } = runDir.sockets;
  const pipelineServes = () => untilPipelineServes(envoy.admin, signal);
  const sockets = { loopback: loop, door, untilPipelineServes: pipelineServes };
  const shared = { options, instanceId, config, health, ...sockets, leaseValid, tracing, logger };
  const service: FilterService = await parts.createFilterService({ ...shared, shutdown: onShutdown });
  apiLog = service.apiLog;
  countWorded = parts.countWorded(service.metrics.metrics);
  undo.add(service.close);
  const doors = await parts.openDoors(options, { service, runDir, logger });
  undo.add(doors.close);
  const { metrics: where } = options;
  if (where) {
    if (own) parts.showIdentity(service.metrics.metrics.registry, own.history);
    parts.showReports(service.metrics.metrics, attach.reports);
    const server = await parts.startMetricsServer(where, {
      ...identity,
      admin: envoy.admin,
      logger,
      ...service.metrics,
    });
    undo.add(server.close);
  }
  sds.add(parts.endpointSecretSource(service.endpointSecrets));
  undo.add(parts.reportEndpointProblems(service.endpointSecrets, attach));
  undo.add(parts.followMiddleware({ host: service.host, runDir, attach, logger }));
  undo.add(watchLease(leaseValid, service.leaseLost, systemClock));
  config.start();

  const started = { options, attach, service, health, logger, signal };
  await Promise.race([Promise.all([attach.accepted, config.inForce]), failed.promise]);
  if (service.hasPipeline()) await pipelineServes();
  health.set('configuration', undefined);
  void followApp(started).catch(failed.reject);

  const traced = () => tracing.tracer() !== undefined;
  let draining: Promise<void> | undefined;
  const drain = async () => {
    running.abort();
    await parts.drainSidecar({ attach, service, doors, envoy, traced, logger, graceMs: options.gracefulShutdownSeconds * 1000 });
    await undo.run();
  };
  return {
    ready: health.ready,
    failed: failed.promise,
    callsOfApp: () => parts.callsOfApp(envoy.admin),
    releaseApp: (ms) => parts.releaseApp({ attach, service, envoy }, ms),
    drain() {
      draining ??= drain();
      return draining;
    },
  };
}

interface Started {
  readonly options: SidecarOptions;
  readonly attach: AttachClient;
  readonly service: FilterService;
  readonly health: Health;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** As long as the control plane waits for other proxies, and a little more for the way. */
const PUBLISH_MS = 700;

/** Waits for the app, asks it what it hosts, and lets others call it. */
async function followApp(started: Started): Promise<void> {
  const { options, attach, service, health, logger, signal } = started;
  const { appAddress: host, appPort: port, appHealth } = options;
  if (port === 0) return health.set('app', undefined);
  health.set('app', `the app does not accept connections on ${host}:${port} yet`);
  await waitForApp({ host, port, logger, signal });
  if (signal.aborted) return;
  if (!appHealth) return appUp(started);
  health.set('app', `the app is not healthy yet: GET ${appHealth.path}`);
  await watchAppHealth({
    options: appHealth,
    probe: service.probeApp,
    signal,
    async onChange(healthy) {
      if (healthy) return appUp(started);
      logger.warn('the app is not healthy: it gets no calls and no events until it is');
      attach.update({ appReady: false, appHealthy: false });
      await service.appUnhealthy();
    },
  });
}

async function appUp({ attach, service, health, signal }: Started): Promise<void> {
  // Callable at once: an app may call itself, or be called, while it answers what it hosts.
  const callable = attach.publish({ appReady: true, appHealthy: true }, PUBLISH_MS);
  const actorTypes = await service.appReady(signal);
  if (signal.aborted) return;
  // Ready means that others, and the app itself, reach it from now on.
  if (actorTypes.length > 0) await attach.publish({ actorTypes: [...actorTypes] }, PUBLISH_MS);
  else await callable;
  if (!signal.aborted) health.set('app', undefined);
}
