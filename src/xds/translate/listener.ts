import type { Address } from '../../gen/envoy/config/core/v3/address.js';
import { TrafficDirection, type TransportSocket } from '../../gen/envoy/config/core/v3/base.js';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import { HttpProtocolOptions } from '../../gen/envoy/config/core/v3/protocol.js';
import { Listener } from '../../gen/envoy/config/listener/v3/listener.js';
import { type Filter, FilterChain } from '../../gen/envoy/config/listener/v3/listener_components.js';
import {
  HttpConnectionManager,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
} from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Instance } from '../../model/instance.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { LISTENERS, ROUTES } from '../../model/names.js';
import type { Resource } from '../resource.js';
import { accessLogs } from './access-log.js';
import { messageTypes, pack } from './any.js';
import type { AppSettings } from './app-settings.js';
import { fromApp, fromSelf, fromSidecar, ownTraceparent } from './early-headers.js';
import { filterChain, localReplies } from './filters/index.js';
import type { Direction } from './filters/module.js';
import { BUFFER_BYTES, http1, http2, http2BetweenSidecars } from './http-options.js';
import { inboundTls } from './mtls.js';
import { certifiedCaller, peerFilters } from './peer.js';
import { makeResource } from './resource.js';
import { shareAt } from './traced-calls.js';
import { tracesApart } from './traced-share.js';
import { b3Reading, connectionTracing } from './tracing.js';
import { ads, duration, pipe, tcp } from './values.js';

const IDLE_CONNECTION_MS = 3_600_000;
const HEADERS_MS = 30_000;

interface ListenerPlan {
  /** One of `LISTENERS`. */
  readonly name: string;
  readonly address: Address;
  readonly direction: Direction;
  readonly earlyHeaders: readonly TypedExtensionConfig[];
  /** Absent: plain. */
  readonly transportSocket?: TransportSocket;
  /** Before the HTTP connection manager. */
  readonly networkFilters?: readonly Filter[];
}

/** @returns the listeners of one instance's Envoy (design §3); API ports are Envoy's only when it has the API door */
export function listeners(instance: Instance, settings: AppSettings): readonly Resource[] {
  return plans(instance, settings).map((plan) =>
    makeResource(messageTypes.listener, plan.name, listener(plan, instance, settings)),
  );
}

function plans(instance: Instance, settings: AppSettings): ListenerPlan[] {
  const { profile, hadPipeline, hadTracesApart } = settings;
  const { sockets, apiDoor, apiAddress, httpPort, grpcPort, address, inboundPort, appPort } = instance;
  const apart = tracesApart(instance, settings);
  const trace = [...b3Reading(instance, settings), ...(apart ? ownTraceparent(instance) : [])];
  const api = { direction: 'api', earlyHeaders: [...fromApp(instance), ...trace] } as const;
  const inbound = { direction: 'inbound' } as const;
  const found: ListenerPlan[] = [];
  if (apiDoor === 'envoy') {
    if (httpPort > 0) found.push({ name: LISTENERS.apiHttp, address: tcp(apiAddress, httpPort), ...api });
    if (grpcPort > 0) found.push({ name: LISTENERS.apiGrpc, address: tcp(apiAddress, grpcPort), ...api });
  }
  if (sockets?.loopback) found.push({ name: LISTENERS.loopback, address: pipe(sockets.loopback), ...api });
  // The filter service's port passes everything on to here while there is a pipeline; when that goes, this process may learn it later.
  if (sockets?.door && hadPipeline) found.push({ name: LISTENERS.door, address: pipe(sockets.door), ...api });
  if (appPort > 0 && inboundPort > 0)
    found.push({ name: LISTENERS.inbound, address: tcp(address, inboundPort), ...fromOthers(instance, profile), ...inbound });
  if (appPort > 0 && sockets?.self)
    found.push({ name: LISTENERS.self, address: pipe(sockets.self), earlyHeaders: fromSelf(instance), ...inbound });
  // A connection keeps the routes that it came under for a moment longer than new ones.
  if (hadTracesApart && sockets) {
    found.push({ name: LISTENERS.traced, address: pipe(sockets.traced), direction: 'api', earlyHeaders: [] });
    if (appPort > 0)
      found.push({ name: LISTENERS.tracedInbound, address: pipe(sockets.tracedInbound), earlyHeaders: [], ...inbound });
  }
  return found;
}

/** Who may connect from outside, and how what they send is read. */
function fromOthers(
  instance: Instance,
  profile: MeshProfile,
): Pick<ListenerPlan, 'earlyHeaders' | 'transportSocket' | 'networkFilters'> {
  const stamped = fromSidecar(instance);
  if (profile.mtls !== 'own') return { earlyHeaders: stamped };
  return {
    earlyHeaders: [...stamped, certifiedCaller],
    transportSocket: inboundTls(profile),
    networkFilters: peerFilters(profile),
  };
}

/** Spread and not merged by fromPartial, which copies deeply: a thousand nodes have five listeners each. */
function listener(plan: ListenerPlan, instance: Instance, settings: AppSettings): Listener {
  const isTcp = plan.address.address?.$case === 'socketAddress';
  const manager = pack(messageTypes.connectionManager, connectionManager(plan, instance, settings));
  const filter = {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { $case: 'typedConfig', value: manager } as const,
  };
  return {
    ...baseListener,
    name: plan.name,
    address: plan.address,
    trafficDirection: plan.direction === 'api' ? TrafficDirection.OUTBOUND : TrafficDirection.INBOUND,
    // With SO_REUSEPORT a second sidecar on the same port would start, and get half of the connections.
    enableReusePort: isTcp ? false : undefined,
    filterChains: [
      { ...baseFilterChain, filters: [...(plan.networkFilters ?? []), filter], transportSocket: plan.transportSocket },
    ],
  };
}

function connectionManager(plan: ListenerPlan, instance: Instance, settings: AppSettings): HttpConnectionManager {
  const { name, direction, earlyHeaders } = plan;
  const context = { instance, settings, direction, listener: name };
  return {
    ...baseManager,
    statPrefix: name,
    routeSpecifier: {
      $case: 'rds',
      value: { configSource: ads, routeConfigName: name === LISTENERS.tracedInbound ? ROUTES.tracedInbound : TABLES[direction] },
    },
    localReplyConfig: localReplies(context),
    httpFilters: filterChain(context),
    http2ProtocolOptions: direction === 'inbound' ? http2BetweenSidecars : http2,
    earlyHeaderMutationExtensions: [...earlyHeaders],
    accessLog: accessLogs(context),
    ...connectionTracing(instance, shareAt(name, instance, settings)),
  };
}

const TABLES = { api: ROUTES.outbound, inbound: ROUTES.inbound } as const;

const baseListener = Listener.fromPartial({ perConnectionBufferLimitBytes: BUFFER_BYTES });
const baseFilterChain = FilterChain.fromPartial({});

/** A path gets its one form here, before any rule sees it. Escaped slashes are data (`a%2Fb` is one name) and stay. */
const onePathForm = {
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
};

/** What the app sent or answered arrives as it is. */
const untouched = {
  serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
  generateRequestId: false,
  preserveExternalRequestId: true,
};

/** Streams and WebSockets may be silent for as long as they like; only a request that never gets its headers together is cut. */
const streaming = {
  streamIdleTimeout: duration(0),
  requestHeadersTimeout: duration(HEADERS_MS),
  commonHttpProtocolOptions: HttpProtocolOptions.fromPartial({ idleTimeout: duration(IDLE_CONNECTION_MS) }),
  upgradeConfigs: [{ upgradeType: 'websocket' }],
};

const baseManager = HttpConnectionManager.fromPartial({
  codecType: HttpConnectionManager_CodecType.AUTO,
  ...onePathForm,
  ...untouched,
  ...streaming,
  httpProtocolOptions: { ...http1, acceptHttp10: true, defaultHostForHttp10: 'localhost' },
  // Addresses are told by early-headers.ts. Envoy's own way adds x-envoy-external-address, and this host's address for loopback.
  useRemoteAddress: false,
  // Else a client's x-forwarded-proto would become the scheme that a gRPC app sees.
  schemeHeaderTransformation: { matchUpstream: true },
});
