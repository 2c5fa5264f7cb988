import { countErrors } from '../api/count-errors.js';
import { actorMethods } from '../api/grpc/actors.js';
import { invokeMethods } from '../api/grpc/invoke.js';
import { metaMethods } from '../api/grpc/meta.js';
import { countGrpc, countSizes } from '../api/grpc/observe.js';
import { pubsubMethods } from '../api/grpc/pubsub.js';
import { secretMethods } from '../api/grpc/secrets.js';
import { type ApiGrpcServer, createGrpcServer } from '../api/grpc/server.js';
import { stateMethods } from '../api/grpc/state.js';
import { echoGrpcBaggage, observeAllGrpc, traceGrpc } from '../api/grpc/trace.js';
import { actorRoutes } from '../api/http/actors.js';
import { inboundGate, installGate } from '../api/http/inbound.js';
import { invokeFallback } from '../api/http/invoke.js';
import { metaRoutes } from '../api/http/meta.js';
import { countHttp } from '../api/http/observe.js';
import { pubsubRoutes } from '../api/http/pubsub.js';
import { secretRoutes } from '../api/http/secrets.js';
import { type ApiHttpServer, createHttpServer } from '../api/http/server.js';
import { stateRoutes } from '../api/http/state.js';
import { echoBaggage, observeAll, traceHttp } from '../api/http/trace.js';
import { type ActorApp, createActorApp } from '../blocks/actors/app-http.js';
import { guardTurns, limitTurns } from '../blocks/actors/guard.js';
import { createActorRuntime } from '../blocks/actors/runtime.js';
import { createActorState } from '../blocks/actors/state.js';
import { createHttpChannel } from '../blocks/app/http-channel.js';
import { type ComponentHost, createComponentHost } from '../blocks/component-host.js';
import type { ConfigSource } from '../blocks/config-source.js';
import { type EndpointSecrets, followEndpointSecrets } from '../blocks/external/endpoint-secrets.js';
import { createRelay } from '../blocks/invoke/relay.js';
import { createInvokeService } from '../blocks/invoke/service.js';
import {
  countComponents,
  countFailures,
  countProbes,
  countPublisher,
  countSecrets,
  countSink,
  countState,
} from '../blocks/observe/count.js';
import { countActors, countDeactivations, countPlacements, countTurns } from '../blocks/observe/count-actors.js';
import { countAppRequests, countCallbacks } from '../blocks/observe/count-app.js';
import { countResiliency } from '../blocks/observe/count-resiliency.js';
import { tracePublisher, traceSink, traceTurns } from '../blocks/observe/trace.js';
import { createPubSubService } from '../blocks/pubsub/service.js';
import { ActorPolicies } from '../blocks/resiliency/actor-policies.js';
import { createSecretService } from '../blocks/secrets/service.js';
import { createStateService } from '../blocks/state/service.js';
import { componentTypes } from '../components/index.js';
import { sleep } from '../lib/async.js';
import { systemClock } from '../lib/clock.js';
import { loadMaglev } from '../lib/maglev.js';
import { weftDir } from '../lib/weft-home.js';
import type { ApiLogSpec } from '../model/access-log.js';
import type { Logger } from '../telemetry/logger.js';
import { createSidecarMetrics } from '../telemetry/metrics/sidecar-metrics.js';
import type { Tracing } from '../telemetry/tracing/tracing.js';
import { apiGate } from './api-gate.js';
import { type App, openApp } from './app-channel.js';
import { askForActors } from './app-config.js';
import { followConfiguration } from './app-configuration.js';
import { type DoorSide, doorSides } from './door/sides.js';
import type { Health } from './health.js';
import type { ScrapeDeps } from './metrics/scrape.js';
import type { SidecarOptions } from './options.js';
import { createRuntime } from './runtime.js';

export interface FilterServiceDeps {
  readonly options: SidecarOptions;
  readonly instanceId: string;
  readonly config: ConfigSource;
  readonly health: Health;
  /** Unix sockets of Envoy's listeners: without and with the HTTP pipeline. */
  readonly loopback: string;
  readonly door: string;
  readonly untilPipelineServes: () => Promise<void>;
  readonly leaseValid: () => boolean;
  readonly shutdown: (force: boolean) => void;
  readonly tracing: Tracing;
  readonly logger: Logger;
}

/** The building blocks and the API in front of them. */
export interface FilterService {
  readonly http: ApiHttpServer;
  /** For Envoy's connections. */
  readonly grpc: ApiGrpcServer;
  /** For the service door's connections: the same methods, and a relay for every other service. */
  readonly doorGrpc: ApiGrpcServer;
  /** HTTP calls of the API go by a pipeline of middleware. */
  readonly hasPipeline: () => boolean;
  /** Who serves a client's connection to the HTTP port, and to the gRPC port. */
  readonly side: { http(): DoorSide; grpc(): DoorSide };
  /** The middleware components that are in force. */
  readonly host: Pick<ComponentHost, 'all' | 'onChange'>;
  /** What calls of external services take along. */
  readonly endpointSecrets: EndpointSecrets;
  /** Calls back when that may have changed. @returns stop listening */
  onRoutingChange(listener: () => void): () => void;
  /** The app accepts connections: asks it what it hosts and subscribes to. @returns its actor types */
  appReady(signal: AbortSignal): Promise<readonly string[]>;
  /** How calls of the API are logged, as the Configuration says; undefined: they are not. */
  apiLog(): ApiLogSpec | undefined;
  probeApp(path: string, timeoutMs: number): Promise<boolean>;
  /** What was counted, and what tells what Envoy's counters mean. */
  readonly metrics: Pick<ScrapeDeps, 'metrics' | 'callPolicies' | 'app'>;
  /** The app is not healthy: nothing is delivered to it until `appReady` again. */
  appUnhealthy(): Promise<void>;
  /** Another host may be given our actors from now on. */
  leaseLost(): void;
  /** Takes no further event and no further turn; those under way may end within `deadlineMs`. */
  quiesce(deadlineMs: number): Promise<void>;
  /** Ends requests under way within `deadlineMs`. */
  closeServers(deadlineMs: number): Promise<void>;
  /** Closes components and connections. Idempotent. */
  close(): Promise<void>;
}

/** Longest turn of an actor; Envoy's routes allow as much. */
const TURN_MS = 60 * 60_000;
const DEACTIVATE_MS = 10_000;
const PAUSE_MS = 1000;
const SUBSCRIBE_MS = 10_000;

/** Builds every block on `config` and both API servers on the blocks. Nothing listens yet. */
export async function createFilterService(deps: FilterServiceDeps): Promise<FilterService> {
  const { options, config, logger, instanceId } = deps;
  const { appId, namespace, maxBodyBytes, apiToken } = options;
  const metrics = createSidecarMetrics(appId);
  const app = openApp(options, {
    requests: (channel) => countAppRequests(channel, metrics),
    callbacks: countCallbacks(metrics),
  });
  // Envoy asks everybody for the API token, us too.
  const headers: Record<string, string> = apiToken ? { 'dapr-api-token': apiToken } : {};
  const loopback = createHttpChannel({ origin: 'http://localhost', socketPath: deps.loopback, headers });
  const door = createHttpChannel({ origin: 'http://localhost', socketPath: deps.door, headers });
  const configuration = followConfiguration(config, {
    tracing: deps.tracing,
    untilPipelineServes: deps.untilPipelineServes,
    onMetrics(settings, documents) {
      metrics.configure(settings);
      metrics.resiliency.loaded.from(() => {
        for (const name of documents) metrics.resiliency.loaded.of(name, namespace).value = 1;
      });
    },
  });
  const { tracer } = deps.tracing;
  const { blocked } = configuration;
  const onError = countErrors(metrics);

  const resiliency = countResiliency(metrics, namespace);

  // Blocks.
  const host = createComponentHost({
    source: config,
    types: componentTypes,
    deps: { appId, namespace, instanceId, dataDir: weftDir('data'), logger },
    resiliency,
    onFailure: countFailures(metrics),
  });
  countComponents(host, metrics);
  const endpointSecrets = followEndpointSecrets({ source: config, host, env: process.env, clock: systemClock, logger });
  const where = { namespace, host };
  const state = countState(createStateService({ host, appId, namespace: options.keyNamespace }), metrics, where);
  const pubsub = createPubSubService({
    ...{ appId, namespace, host, config, app: app.channel, callback: app.callback, logger },
    observe: {
      publisher: (publisher) => tracePublisher(countPublisher(publisher, metrics, where), tracer),
      sink: (sink) => traceSink(countSink(sink, metrics, namespace), tracer),
    },
  });
  const actorPolicies = new ActorPolicies({ namespace, clock: systemClock, observer: resiliency });
  config.on('actorResiliency', async (change) => actorPolicies.apply(change));
  const hosting = createActorRuntime({
    instanceId,
    namespace,
    app: limitTurns(countDeactivations(actorAppOf(app), metrics), actorPolicies),
    config: countPlacements(config, metrics),
    observer: countActors(metrics),
    buildTable: await loadMaglev(),
    clock: systemClock,
    logger,
    leaseValid: deps.leaseValid,
  });
  const actors = traceTurns(countTurns(guardTurns(hosting, actorPolicies), metrics), tracer);
  const actorState = createActorState({
    appId,
    store: () => host.actorStateStore(),
    isActive: actors.isActive,
    ttlEnabled: () => configuration.enabledFeatures().includes('ActorStateTTL'),
  });
  const secrets = countSecrets(createSecretService({ host, scopes: configuration.secretScopes }), metrics, where);
  const runtime = createRuntime({
    options,
    health: deps.health,
    enabledFeatures: configuration.enabledFeatures,
    components: () => host.list(),
    httpEndpoints: () => endpointSecrets.endpoints(),
    subscriptions: () => pubsub.subscriptions(),
    actors: () => ({
      runtimeStatus: actors.hostedTypes.length > 0 ? 'RUNNING' : 'DISABLED',
      activeActors: actors.activeActors(),
      hostReady: actors.hostedTypes.length > 0 && deps.leaseValid(),
      placement: actors.placement().join(', '),
    }),
    shutdown: deps.shutdown,
  });

  // The API in front of them.
  const relay = createRelay(loopback);
  const http = await createHttpServer({
    routes: [
      ...metaRoutes(runtime),
      ...stateRoutes(state),
      ...pubsubRoutes(pubsub),
      ...secretRoutes(secrets),
      ...actorRoutes({ runtime: actors, state: actorState, relay }),
    ],
    fallback: invokeFallback(relay),
    observe: observeAll([...(options.metrics ? [countHttp(metrics)] : []), echoBaggage, traceHttp(tracer)]),
    onError,
    apiToken,
    blocked: blocked.http,
    divert: apiGate({ configuration, pipeline: createRelay(door), logger }),
    allowedOrigins: options.allowedOrigins,
    maxBodyBytes,
    ...(options.maxHeaderBytes ? { maxHeaderBytes: options.maxHeaderBytes } : {}),
    logger,
  });
  const answered: Record<string, number> = {};
  const onAnswer = (status: number) => {
    const by = `${Math.floor(status / 100)}xx`;
    answered[by] = (answered[by] ?? 0) + 1;
  };
  installGate(
    http.server,
    inboundGate({ runtime: actors, relay, callback: app.callback, maxBodyBytes, onError, onAnswer, logger }),
  );
  const methods = [
    metaMethods(runtime),
    stateMethods(state),
    secretMethods(secrets),
    pubsubMethods(pubsub),
    actorMethods({ state: actorState, loopback }),
    invokeMethods(createInvokeService(loopback)),
  ];
  const grpcOptions = {
    methods,
    apiToken,
    blocked: blocked.grpc,
    configured: configuration.known,
    maxBodyBytes,
    sizes: options.metrics ? countSizes(metrics) : undefined,
    observe: observeAllGrpc([...(options.metrics ? [countGrpc(metrics)] : []), echoGrpcBaggage, traceGrpc(tracer)]),
    logger,
  };
  const grpc = createGrpcServer(grpcOptions);
  const doorGrpc = createGrpcServer(grpcOptions);

  return {
    http,
    grpc,
    doorGrpc,
    hasPipeline: configuration.hasPipeline,
    side: doorSides(options, configuration),
    host,
    endpointSecrets,
    onRoutingChange: configuration.onChange,
    apiLog: configuration.apiLog,
    metrics: {
      metrics,
      callPolicies: configuration.callPolicies,
      app: { grpc: app.channel.kind === 'grpc', answeredByService: () => answered },
    },
    async appReady(signal) {
      if (app.channel.kind === 'http') await actors.host(await askForActors(app.channel.http, { appId, logger, signal }));
      // An app that answers nonsense is asked again and again; it is called by name meanwhile.
      const subscribed = pubsub.start().then(() => true);
      if (!(await Promise.race([subscribed, sleep(SUBSCRIBE_MS, signal)])))
        logger.warn('the app has not told its subscriptions yet; going on without them', { waited_ms: SUBSCRIBE_MS });
      return actors.hostedTypes;
    },
    probeApp: countProbes(app.probe, metrics.probes[app.channel.kind === 'grpc' ? 'grpc' : 'http']),
    appUnhealthy: () => pubsub.stop(PAUSE_MS),
    leaseLost: () => void actors.leaseLost(),
    async quiesce(deadlineMs) {
      await Promise.all([pubsub.stop(deadlineMs), actors.close(deadlineMs)]);
    },
    async closeServers(deadlineMs) {
      await Promise.all([http.close(deadlineMs), grpc.close(deadlineMs), doorGrpc.close(deadlineMs)]);
    },
    async close() {
      endpointSecrets.close();
      await Promise.allSettled([host.close(), loopback.close(), door.close(), app.close()]);
    },
  };
}

function actorAppOf({ channel }: App): ActorApp {
  if (channel.kind === 'http')
    return createActorApp({ http: channel.http, turnTimeoutMs: TURN_MS, deactivateTimeoutMs: DEACTIVATE_MS });
  // Nothing is ever placed here: without an HTTP app no actor type is hosted.
  const none = async () => {
    throw new Error('the app hosts no actors');
  };
  return { invoke: none, deactivate: none };
}
