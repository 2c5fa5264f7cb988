import { randomUUID } from 'node:crypto';
import { Server } from '@grpc/grpc-js';
import { addRegistryService } from '../control/attach-server.js';
import { debounce } from '../control/debounce.js';
import { startStatusServer } from '../control/http-server.js';
import { buildMeshModel } from '../control/mesh-model.js';
import { createControlPlaneMetrics } from '../control/metrics.js';
import { pipelineStatus } from '../control/pipeline-status.js';
import { createPlacement, filePlacementStore } from '../control/placement.js';
import { createPolicyWarnings } from '../control/policy-warnings.js';
import { createRegistry } from '../control/registry.js';
import { createResourceCatalog, type ResourceLoader, type ResourcePaths } from '../control/resource-catalog.js';
import { sidecarProblems } from '../control/sidecar-problems.js';
import { statusRoutes } from '../control/status-routes.js';
import { type Clock, systemClock } from '../lib/clock.js';
import type { Instance } from '../model/instance.js';
import type { MeshModel, ResourceSet } from '../model/mesh-model.js';
import type { NodeIdentity } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { createModelSource } from './model-source.js';
import { createPublication } from './publication.js';
import type { Snapshot } from './resource.js';
import { type MtlsOptions, startSecurity } from './security.js';
import { addAdsService } from './server.js';

export interface ControlPlaneOptions {
  readonly listenAddress: string;
  /** gRPC: ADS and registry. 0: any. */
  readonly port: number;
  /** HTTP: status, health, metrics. 0: any. */
  readonly httpPort: number;
  /** Resources of instances that bring none of their own; without any directory the embedded defaults. */
  readonly resources: ResourcePaths;
  /** Where generations are kept. */
  readonly stateDirectory: string;
  /** Milliseconds without a heartbeat until an instance is gone. */
  readonly leaseTtlMs: number;
  /** Milliseconds after the start in which nothing that a reconnecting proxy has is replaced or removed. */
  readonly settleMs: number;
  /** Undefined: no mTLS of ours. */
  readonly mtls?: MtlsOptions;
}

export interface ControlPlaneDeps {
  readonly logger: Logger;
  readonly loadResources: ResourceLoader;
  readonly embedded: ResourceSet;
  readonly snapshots: { build(model: MeshModel, node: NodeIdentity): Snapshot | undefined };
  readonly clock?: Clock;
}

export interface ControlPlane {
  /** `host:port`. */
  readonly grpcAddress: string;
  readonly httpAddress: string;
  close(): Promise<void>;
}

export const CONTROL_PLANE_DEFAULTS = { leaseTtlMs: 5_000, settleMs: 3_000 } as const;
const MAX_INSTANCES = 10_000;
const WITHDRAW_DEADLINE_MS = 3_000;
/** A proxy that does not answer holds up a starting sidecar so long at most. */
const PUBLISH_DEADLINE_MS = 500;
const CONVERGENCE_DEADLINE_MS = 10_000;

/**
 * Starts registry, ADS server and status server.
 * @throws UsageError when a port is taken or the state is damaged; nothing is left running then
 */
export async function startControlPlane(options: ControlPlaneOptions, deps: ControlPlaneDeps): Promise<ControlPlane> {
  const { logger } = deps;
  const clock = deps.clock ?? systemClock;
  const metrics = createControlPlaneMetrics();

  // What goes in: instances and resources. Each change triggers one rebuild a burst.
  let started = false;
  const rebuilds = debounce(() => started && rebuild(), { quietMs: 10, maxMs: 100 }, clock);
  const placement = createPlacement(filePlacementStore(options.stateDirectory));
  const registry = createRegistry(
    { leaseTtlMs: options.leaseTtlMs, maxInstances: MAX_INSTANCES },
    { clock, onChange: rebuilds.trigger },
  );
  // Files have had their quiet time already; the first ones are read before there is anything to rebuild.
  let running = false;
  const rebuildNow = () => {
    rebuilds.trigger();
    if (running) rebuilds.flush();
  };
  const catalog = createResourceCatalog(
    { defaults: options.resources, embedded: deps.embedded },
    { load: deps.loadResources, clock, logger, onChange: rebuildNow },
  );
  await catalog.acquire(options.resources);
  const security = await startSecurity(options, () => catalog.setFor(options.resources), logger).catch((error: unknown) => {
    catalog.close();
    throw error;
  });
  const { peerCheck, notePeer } = security;

  // What comes out: the model, and from it each node's snapshot.
  const setFor = (instance: Instance) => catalog.setFor(instance);
  const model = () => {
    const instances = registry.instances();
    return buildMeshModel({ instances, placements: placement.update(instances), setFor, profile: security.profile() });
  };
  const source = createModelSource({ model: model(), build: deps.snapshots.build, settleMs: options.settleMs, clock, logger });
  running = true;
  const server = new Server(GRPC_OPTIONS);
  const ads = addAdsService(server, { source, logger, metrics: metrics.ads, peerCheck, notePeer });
  started = true;
  const publication = createPublication(() => ads.settled(PUBLISH_DEADLINE_MS));
  let measuring = false;
  let pipelines: readonly string[] = [];
  const warnOfPolicies = createPolicyWarnings(logger);
  const problems = () => [...catalog.problems(), ...pipelines, ...sidecarProblems(registry.instances())];
  function rebuild(): void {
    const startedAt = clock.now();
    source.set(model());
    publication.rebuilt();
    const found = pipelineStatus(source.current());
    for (const problem of found) if (!pipelines.includes(problem)) logger.error('middleware not applied', { problem });
    pipelines = found;
    warnOfPolicies(source.current());
    metrics.registry({
      instances: registry.instances().length,
      expired: registry.expired(),
      problems: problems().length,
      refused: catalog.refused().map(({ kind }) => kind),
      sidecarProblems: sidecarProblems(registry.instances()).length,
    });
    if (measuring) return;
    measuring = true;
    void ads.endpointsAcked(CONVERGENCE_DEADLINE_MS).then(() => {
      measuring = false;
      metrics.converged(clock.now() - startedAt);
    });
  }
  addRegistryService(
    server,
    {
      heartbeatMs: Math.max(100, Math.floor(options.leaseTtlMs / 5)),
      leaseTtlMs: options.leaseTtlMs,
      controlPlaneId: randomUUID(),
    },
    {
      registry,
      logger,
      peerCheck,
      resources: instanceResources(catalog),
      published: publication.wait,
      async withdrawn() {
        rebuilds.flush();
        const acked = await ads.endpointsAcked(WITHDRAW_DEADLINE_MS);
        if (!acked) logger.warn('not every proxy acknowledged a withdrawal in time', { deadline_ms: WITHDRAW_DEADLINE_MS });
      },
    },
  );

  const stop = () => {
    rebuilds.close();
    source.close();
    catalog.close();
    // Streams first: a registry that empties must not look like a mesh that empties.
    ads.close();
    registry.close();
    security.close();
  };
  try {
    const status = {
      model: source.current,
      proxies: ads.status,
      problems,
      metrics,
      wallClock: Date.now,
      mtls: security.status,
    };
    const bound = await security.bind(server, { host: options.listenAddress, port: options.port, flag: '--port' });
    const http = await startStatusServer(statusRoutes(status), { host: options.listenAddress, port: options.httpPort }, logger);
    const grpcAddress = `${options.listenAddress}:${bound.port}`;
    logger.info('control plane ready', { grpc: grpcAddress, http: http.address });
    return {
      grpcAddress,
      httpAddress: http.address,
      async close() {
        stop();
        await Promise.all([http.close(), shutdown(server)]);
        bound.close();
      },
    };
  } catch (error) {
    stop();
    server.forceShutdown();
    throw error;
  }
}

/** Pings find peers that are gone without a word; a reconnecting proxy's list of versions may be long. */
const GRPC_OPTIONS = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
} as const;

/**
 * A sidecar that starts with bad resources of its own is told so and ends. One that is in use keeps running on what is good: it
 * comes back after a break, or tells of a change.
 */
function instanceResources(catalog: ReturnType<typeof createResourceCatalog>) {
  return {
    async acquire(instance: Parameters<typeof catalog.acquire>[0] & { readonly starting: boolean }) {
      const problems = await catalog.acquire(instance);
      const hasOwn = instance.resourcesPaths.length + instance.configPaths.length > 0;
      return hasOwn && instance.starting ? problems : [];
    },
    release: catalog.release,
  };
}

function shutdown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, 500);
    server.tryShutdown(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
