import { CircuitBreakers } from '../../gen/envoy/config/cluster/v3/circuit_breaker.js';
import { Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { Address } from '../../gen/envoy/config/core/v3/address.js';
import type { TransportSocket } from '../../gen/envoy/config/core/v3/base.js';
import type { Http1ProtocolOptions, Http2ProtocolOptions } from '../../gen/envoy/config/core/v3/protocol.js';
import { UpstreamTlsContext } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import { HttpProtocolOptions } from '../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.js';
import type { ActorPlacement } from '../../gen/weft/config/v1/config.js';
import type { Instance } from '../../model/instance.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import {
  actorCluster,
  EXT_PROC_CLUSTER,
  LOCAL_APP_CLUSTER,
  MAX_CALLS_A_CONNECTION,
  refCluster,
  SERVICE_GRPC_CLUSTER,
  SERVICE_HTTP_CLUSTER,
} from '../../model/names.js';
import type { AppRef } from '../../model/traffic/route.js';
import type { Resource } from '../resource.js';
import { messageTypes, pack } from './any.js';
import { BUFFER_BYTES, http1, http2, http2BetweenSidecars } from './http-options.js';
import { meshService } from './mesh-service.js';
import { upstreamTls } from './mtls.js';
import { makeResource } from './resource.js';
import { type ClusterTraffic, steerCluster } from './traffic/cluster.js';
import { ads, duration, pipe, tcp } from './values.js';

// Envoy's default of 1024 connections, requests and pending requests is a limit nobody asked for; waiting requests stay bounded.
const LIMITS = CircuitBreakers.fromPartial({
  thresholds: [{ maxConnections: 65_536, maxRequests: 65_536, maxPendingRequests: 16_384, maxRetries: 1024 }],
});
/**
 * Connecting includes the TLS handshake. When a machine is so busy that handshakes take a second, giving up and starting anew makes it
 * worse: a thousand requests a second while sidecars started opened circuit breakers that way.
 */
const CONNECT_MS = { sidecar: 3000, local: 1000 };

/** How long an idle connection is kept. Always less than the other side keeps it, or requests race with its close. */
const IDLE_MS = { sidecar: 300_000, service: 30_000, app: 1000 };

/**
 * @param traffic what callers' policies say about the app
 * @returns the cluster of all instances of an app, or of one version of it; which they are comes as EDS
 */
export function appClusterResource(app: AppRef, profile: MeshProfile, traffic?: ClusterTraffic): Resource {
  const name = refCluster(app);
  const { service } = profile;
  const cluster = service
    ? { ...baseApp, name, ...meshService(app, service), ...asItCame }
    : { ...baseApp, name, ...security(profile, [app]) };
  return makeResource(messageTypes.cluster, name, traffic ? steerCluster(cluster, traffic) : cluster);
}

/** @returns the consistent-hash cluster of an actor type's hosts */
export function actorClusterResource({ namespace, actorType, hosts }: ActorPlacement, profile: MeshProfile): Resource {
  const name = actorCluster(namespace, actorType);
  const apps = [...new Set(hosts.map(({ appId }) => appId))].sort().map((appId) => ({ namespace, appId }));
  return makeResource(messageTypes.cluster, name, { ...baseActor, name, ...security(profile, apps) });
}

const security = (profile: MeshProfile, peers: Parameters<typeof upstreamTls>[1]) =>
  profile.mtls === 'own' ? upstreamTls(profile, peers) : undefined;

/** @returns the clusters that only this instance's Envoy has: its app, and its filter service */
export function localClusters(instance: Instance): readonly Resource[] {
  const sockets = instance.sockets;
  const clusters: Cluster[] = [];
  if (instance.appPort > 0) clusters.push(localApp(instance));
  if (sockets) {
    const http = protocolOptions(explicit({ $case: 'httpProtocolOptions', value: http1 }), IDLE_MS.service);
    clusters.push(
      fixed(SERVICE_HTTP_CLUSTER, pipe(sockets.serviceHttp), http),
      fixed(SERVICE_GRPC_CLUSTER, pipe(sockets.serviceGrpc), toNode),
    );
  }
  return clusters.map((cluster) => makeResource(messageTypes.cluster, cluster.name, cluster));
}

/** @returns the cluster of the filter service's middleware server */
export function extProcCluster(socket: string): Resource {
  return makeResource(messageTypes.cluster, EXT_PROC_CLUSTER, fixed(EXT_PROC_CLUSTER, pipe(socket), toNode));
}

/** @returns the cluster of another listener of the same Envoy, on a Unix socket */
export function ownListenerCluster(name: string, socket: string, protocols: 'as it came' | 'as between sidecars'): Resource {
  const options = protocols === 'as it came' ? anyProtocol : betweenSidecars;
  return makeResource(messageTypes.cluster, name, fixed(name, pipe(socket), options));
}

const H2_PROTOCOLS = new Set(['grpc', 'grpcs', 'h2c']);
const TLS_PROTOCOLS = new Set(['https', 'grpcs']);

/** The app as `--app-protocol` says. Its certificate is its own affair, as in Dapr: the connection stays on this host. */
function localApp({ appAddress, appPort, appProtocol }: Instance): Cluster {
  const h2 = H2_PROTOCOLS.has(appProtocol);
  const options = protocolOptions(
    explicit(h2 ? { $case: 'http2ProtocolOptions', value: http2 } : { $case: 'httpProtocolOptions', value: http1 }),
    IDLE_MS.app,
  );
  const transportSocket = TLS_PROTOCOLS.has(appProtocol) ? tlsUnverified(h2 ? 'h2' : 'http/1.1') : undefined;
  return { ...fixed(LOCAL_APP_CLUSTER, tcp(appAddress || 'localhost', appPort), options), transportSocket };
}

const tlsUnverified = (alpn: string): TransportSocket => ({
  name: 'envoy.transport_sockets.tls',
  configType: {
    $case: 'typedConfig',
    value: pack(messageTypes.upstreamTls, UpstreamTlsContext.fromPartial({ commonTlsContext: { alpnProtocols: [alpn] } })),
  },
});

/** A cluster with one address. A name (not an IP) is resolved by Envoy. */
function fixed(name: string, address: Address, options: HttpProtocolOptions): Cluster {
  const host = address.address?.$case === 'socketAddress' ? address.address.value.address : '';
  const isName = host !== '' && !/^[\d.]+$|:/.test(host);
  return Cluster.fromPartial({
    name,
    clusterDiscoveryType: { $case: 'type', value: isName ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address } } }] }],
    },
    ...common(options, CONNECT_MS.local),
  });
}

const common = (options: HttpProtocolOptions, connectMs: number) => ({
  connectTimeout: duration(connectMs),
  perConnectionBufferLimitBytes: BUFFER_BYTES,
  circuitBreakers: LIMITS,
  ...protocol(options),
});

const protocol = (options: HttpProtocolOptions): Pick<Cluster, 'typedExtensionProtocolOptions'> => ({
  typedExtensionProtocolOptions: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(messageTypes.httpProtocolOptions, options),
  },
});

type UpstreamProtocol = HttpProtocolOptions['upstreamProtocolOptions'];
type Explicit =
  | { $case: 'httpProtocolOptions'; value: Http1ProtocolOptions }
  | { $case: 'http2ProtocolOptions'; value: Http2ProtocolOptions };

const explicit = (protocolConfig: Explicit): UpstreamProtocol => ({ $case: 'explicitHttpConfig', value: { protocolConfig } });

const protocolOptions = (
  upstreamProtocolOptions: UpstreamProtocol,
  idleMs: number,
  maxRequestsPerConnection?: number,
): HttpProtocolOptions =>
  HttpProtocolOptions.fromPartial({
    commonHttpProtocolOptions: { idleTimeout: duration(idleMs), maxRequestsPerConnection },
    upstreamProtocolOptions,
  });

/** What another mesh's proxy or service speaks is not known here, and an actor's host may be this one, whose filter service takes HTTP/1.1. */
const anyProtocol = protocolOptions(
  { $case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: http1, http2ProtocolOptions: http2 } },
  IDLE_MS.sidecar,
  MAX_CALLS_A_CONNECTION,
);
const asItCame = protocol(anyProtocol);

const betweenSidecars = protocolOptions(
  explicit({ $case: 'http2ProtocolOptions', value: http2BetweenSidecars }),
  IDLE_MS.sidecar,
  MAX_CALLS_A_CONNECTION,
);

const toNode = protocolOptions(
  explicit({ $case: 'http2ProtocolOptions', value: http2 }),
  IDLE_MS.service,
  MAX_CALLS_A_CONNECTION,
);

// Spread for each app: fromPartial copies deeply, and there may be thousands.
const baseEds = Cluster.fromPartial({
  clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: ads },
  ...common(betweenSidecars, CONNECT_MS.sidecar),
});

// Only when every instance is unwell do they all get traffic again; at the default of 50 % half of them would be enough.
const baseApp = Cluster.fromPartial({
  ...baseEds,
  lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
  commonLbConfig: { healthyPanicThreshold: { value: 1 } },
});

// No panic: a host that is not in the table must not get another host's actors.
const baseActor = Cluster.fromPartial({
  ...baseEds,
  ...asItCame,
  lbPolicy: Cluster_LbPolicy.MAGLEV,
  commonLbConfig: { healthyPanicThreshold: { value: 0 } },
});
