import type { Cluster } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { TransportSocket } from '../../gen/envoy/config/core/v3/base.js';
import { ApiConfigSource_ApiType, ApiVersion, ConfigSource } from '../../gen/envoy/config/core/v3/config_source.js';
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/common.js';
import type { SdsSecretConfig } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import {
  CommonTlsContext,
  DownstreamTlsContext,
  UpstreamTlsContext,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { SDS_CLUSTER, SDS_SECRETS } from '../../model/names.js';
import { spiffeId, svidPattern } from '../../model/spiffe.js';
import { type MessageType, messageTypes, pack } from './any.js';
import { duration } from './values.js';

/**
 * Mutual TLS between sidecars. Key, certificate and roots come from this sidecar's own SDS socket, never over ADS. The roots come with
 * Envoy's SPIFFE validator (agent/identity/sds-server.ts), which also refuses a CA as leaf and another trust domain; here stands who
 * exactly the peer may be.
 */

// Word for word as in the bootstrap (agent/envoy/bootstrap-tls.ts): Envoy then keeps one subscription for all.
const retryPolicy = { retryBackOff: { baseInterval: duration(20), maxInterval: duration(1000) }, numRetries: 1_000_000 };
const ownSecrets = (waitMs: number): ConfigSource =>
  ConfigSource.fromPartial({
    configSourceSpecifier: {
      $case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [{ targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: SDS_CLUSTER, retryPolicy } } }],
      },
    },
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: duration(waitMs),
  });

// A listener without a certificate serves nobody: it waits.
const sds = ownSecrets(0);

/** Longest that a cluster is held back for a secret which its sidecar may not have; calls that need it fail then. */
const SECRET_WAIT_MS = 3000;
const waiting = ownSecrets(SECRET_WAIT_MS);

/** @returns a secret that this instance's sidecar reads from its own stores and environment */
export const sidecarSecret = (name: string): SdsSecretConfig => ({ name, sdsConfig: waiting });

const tlsContext = (peers: readonly SubjectAltNameMatcher[], alpnProtocols: readonly string[]): CommonTlsContext =>
  CommonTlsContext.fromPartial({
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [{ name: SDS_SECRETS.identity, sdsConfig: sds }],
    validationContextType: {
      $case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: [...peers] },
        validationContextSdsSecretConfig: { name: SDS_SECRETS.roots, sdsConfig: sds },
      },
    },
    alpnProtocols: [...alpnProtocols],
  });

type Pattern = NonNullable<SubjectAltNameMatcher['matcher']>['matchPattern'];
const uri = (matchPattern: Pattern): SubjectAltNameMatcher => ({
  sanType: SubjectAltNameMatcher_SanType.URI,
  matcher: { matchPattern, ignoreCase: false },
  oid: '',
});

const socket = <T>(name: string, type: MessageType<T>, message: T): TransportSocket => ({
  name,
  configType: { $case: 'typedConfig', value: pack(type, message) },
});

/** @returns TLS for the inbound listener: whoever has a certificate of this mesh may connect, nobody else */
export const inboundTls = ({ trustDomain }: MeshProfile): TransportSocket =>
  socket(
    'envoy.transport_sockets.tls',
    messageTypes.downstreamTls,
    DownstreamTlsContext.fromPartial({
      commonTlsContext: tlsContext(
        [uri({ $case: 'safeRegex', value: { regex: svidPattern(trustDomain) } })],
        // Envoy offers what the caller's call came with; without ALPN a call is HTTP/1.1 or announces itself.
        ['h2', 'http/1.1'],
      ),
      requireClientCertificate: true,
      // A resumed session is not checked again: its certificate may have expired meanwhile.
      sessionTicketKeysType: { $case: 'disableStatelessSessionResumption', value: true },
      disableStatefulSessionResumption: true,
    }),
  );

/** Endpoint metadata of an instance's own sockets, which need no TLS. */
export const OWN_SOCKET = { filterMetadata: { 'envoy.transport_socket_match': { own: true } }, typedFilterMetadata: {} };

const ownSocket = {
  name: 'own',
  match: { own: true },
  transportSocket: socket('envoy.transport_sockets.raw_buffer', messageTypes.rawBuffer, {}),
};

/**
 * @param peers the apps whose instances the cluster may hold: an endpoint with another app's certificate gets no request
 * @returns TLS to every endpoint but the instance's own sockets. ALPN follows the protocol that the call came with.
 */
export function upstreamTls(
  { trustDomain }: MeshProfile,
  peers: readonly { readonly namespace: string; readonly appId: string }[],
): Pick<Cluster, 'transportSocket' | 'transportSocketMatches'> {
  const ids = peers.map(({ namespace, appId }) => spiffeId({ trustDomain, namespace, appId }));
  // An empty list would admit everybody: a cluster that holds nobody names an id that nobody has.
  const names = (ids.length > 0 ? ids : [`spiffe://${trustDomain}`]).map((value) => uri({ $case: 'exact', value }));
  const context = UpstreamTlsContext.fromPartial({ commonTlsContext: tlsContext(names, []), maxSessionKeys: 0 });
  return {
    transportSocketMatches: [ownSocket],
    transportSocket: socket('envoy.transport_sockets.tls', messageTypes.upstreamTls, context),
  };
}
