import { Cluster, Cluster_DiscoveryType } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { HeaderValueOption, TransportSocket } from '../../gen/envoy/config/core/v3/base.js';
import { Route } from '../../gen/envoy/config/route/v3/route_components.js';
import { CredentialInjector } from '../../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector.js';
import { HttpFilter } from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { Generic } from '../../gen/envoy/extensions/http/injected_credentials/generic/v3/generic.js';
import {
  CertificateValidationContext,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/common.js';
import { UpstreamTlsContext } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import { HttpProtocolOptions } from '../../gen/weft/envoy/v1/http_protocol_options.js';
import { type ExternalEndpoint, type ExternalHeader, type ExternalTls, originSpellings } from '../../model/external/endpoint.js';
import { externalCluster, externalUrlCluster, SYSTEM_ROOTS } from '../../model/names.js';
import type { Resource } from '../resource.js';
import { extension, messageTypes, pack } from './any.js';
import { http1, http2 } from './http-options.js';
import { sidecarSecret } from './mtls.js';
import { makeResource } from './resource.js';
import type { AppRoutes } from './route.js';
import { NO_TIMEOUT } from './route-target.js';
import { duration, overwrite, tcp } from './values.js';

/** Services outside of the mesh: reached only when an HTTPEndpoint names their host, and told nothing about who calls. */

const CONNECT_MS = 5000;
const IDLE_MS = 30_000;
const BUFFER_BYTES = 256 * 1024;

/**
 * @returns the clusters of an external service: one for calls by its name, which brings its headers, and if it has any, one for calls by
 * its URL. The host's name and its certificate are checked against the URL's.
 */
export function externalClusterResources(endpoint: ExternalEndpoint): readonly Resource[] {
  const { namespace, name, headers } = endpoint;
  const injected = headers.flatMap((header) => injector(header) ?? []);
  const byName = outsideCluster(externalCluster(namespace, name), endpoint, injected);
  return hasOwnHeaders(endpoint) ? [byName, outsideCluster(externalUrlCluster(namespace, name), endpoint)] : [byName];
}

const hasOwnHeaders = ({ headers }: ExternalEndpoint) => headers.some(({ secret }) => secret !== undefined);

/**
 * Puts a header into a call right before it leaves, so that its value is in no route, log or dump. Envoy answers 401 by itself while the
 * sidecar has not read the value.
 */
function injector({ name, secret }: ExternalHeader): HttpFilter | undefined {
  if (secret === undefined) return undefined;
  const generic = Generic.fromPartial({ credential: sidecarSecret(secret), header: name });
  const credential = extension('envoy.http.injected_credentials.generic', messageTypes.injectedGeneric, generic);
  const config = CredentialInjector.fromPartial({ overwrite: true, credential });
  return HttpFilter.fromPartial({
    name: `weft.header ${name}`,
    configType: { $case: 'typedConfig', value: pack(messageTypes.credentialInjector, config) },
  });
}

/** Envoy's own end of a cluster's filters. */
const toWire = HttpFilter.fromPartial({
  name: 'envoy.filters.http.upstream_codec',
  configType: { $case: 'typedConfig', value: pack(messageTypes.upstreamCodec, {}) },
});

/** @returns the cluster of one address outside of the mesh, whose calls pass `filters` */
export function outsideCluster(
  name: string,
  { host, port, tls }: Pick<ExternalEndpoint, 'host' | 'port' | 'tls'>,
  filters: readonly HttpFilter[] = [],
): Resource {
  const isAddress = /^[\d.]+$|:/.test(host);
  const options: HttpProtocolOptions = {
    ...HttpProtocolOptions.fromPartial({ commonHttpProtocolOptions: { idleTimeout: duration(IDLE_MS) } }),
    // With TLS the service says by ALPN whether it speaks HTTP/2.
    upstreamProtocolOptions: tls
      ? { $case: 'autoConfig', value: { httpProtocolOptions: http1, http2ProtocolOptions: http2 } as never }
      : { $case: 'explicitHttpConfig', value: { protocolConfig: { $case: 'httpProtocolOptions', value: http1 } } },
    httpFilters: filters.length > 0 ? [...filters, toWire] : [],
  };
  const cluster = Cluster.fromPartial({
    name,
    clusterDiscoveryType: { $case: 'type', value: isAddress ? Cluster_DiscoveryType.STATIC : Cluster_DiscoveryType.LOGICAL_DNS },
    connectTimeout: duration(CONNECT_MS),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address: tcp(host, port) } } }] }],
    },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(messageTypes.httpProtocolOptions, options),
    },
  });
  return makeResource(messageTypes.cluster, name, { ...cluster, transportSocket: tls && tlsSocket(tls) });
}

function tlsSocket({ serverName, isAddress, rootCa, client, allowRenegotiation }: ExternalTls): TransportSocket {
  const sanType = isAddress ? SubjectAltNameMatcher_SanType.IP_ADDRESS : SubjectAltNameMatcher_SanType.DNS;
  const matcher = { matchPattern: { $case: 'exact', value: serverName } as const, ignoreCase: !isAddress };
  const context = UpstreamTlsContext.fromPartial({
    sni: isAddress ? '' : serverName,
    allowRenegotiation,
    commonTlsContext: {
      tlsParams: { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2 },
      tlsCertificateSdsSecretConfigs: client ? [sidecarSecret(client.secret)] : [],
    },
  });
  const names = CertificateValidationContext.fromPartial({ matchTypedSubjectAltNames: [{ sanType, matcher, oid: '' }] });
  const pem = rootCa && 'pem' in rootCa ? rootCa.pem : undefined;
  const roots = rootCa && 'secret' in rootCa ? sidecarSecret(rootCa.secret) : { name: SYSTEM_ROOTS, sdsConfig: undefined };
  if (context.commonTlsContext)
    context.commonTlsContext.validationContextType = pem
      ? {
          $case: 'validationContext',
          value: { ...names, trustedCa: { specifier: { $case: 'inlineString', value: pem }, watchedDirectory: undefined } },
        }
      : {
          $case: 'combinedValidationContext',
          value: { defaultValidationContext: names, validationContextSdsSecretConfig: roots },
        };
  return {
    name: 'envoy.transport_sockets.tls',
    configType: { $case: 'typedConfig', value: pack(messageTypes.upstreamTls, context) },
  };
}

/** What tells about this mesh, its callers and its tokens. `x-weft-` is gone already when a request comes in. */
const INTERNAL_HEADERS = [
  'dapr-app-id',
  'dapr-api-token',
  'dapr-caller-app-id',
  'dapr-caller-namespace',
  'dapr-callee-app-id',
  'x-dapr-remote',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'forwarded',
];

/** @returns every address of the endpoint: its name, and its origin as a URL, which brings none of the configured headers */
export function externalRoutes(endpoint: ExternalEndpoint): AppRoutes {
  const { name } = endpoint;
  const { inPath, inHeader } = originSpellings(endpoint);
  const url = externalUrlCluster(endpoint.namespace, name);
  const byUrl: Target = { ...endpoint, basePath: '', headers: [], ...(hasOwnHeaders(endpoint) ? { cluster: url } : {}) };
  const prefix = (id: string) => `/v1.0/invoke/${id}/method/`;
  const path = (id: string, of: Target) => [prefix(id), route(of, prefix(id), [])] as const;
  const basic = `Basic ${Buffer.from(`dapr-app-id:${name}`).toString('base64')}`;
  return {
    byPath: new Map([path(encodeURIComponent(name), endpoint), ...inPath.map((id) => path(id, byUrl))]),
    byAppId: new Map([[name, route(endpoint, '/', [])], ...inHeader.map((id) => [id, route(byUrl, '/', [])] as const)]),
    byBasicAuth: new Map([[basic, route(endpoint, '/', ['authorization'])]]),
  };
}

interface Target extends ExternalEndpoint {
  /** Default: the endpoint's own. */
  readonly cluster?: string;
}

function route(
  { namespace, name, authority, basePath, headers, cluster = externalCluster(namespace, name) }: Target,
  prefix: string,
  remove: readonly string[],
): Any {
  return pack(
    messageTypes.route,
    Route.fromPartial({
      match: { pathSpecifier: { $case: 'prefix', value: prefix } },
      action: {
        $case: 'route',
        value: {
          clusterSpecifier: { $case: 'cluster', value: cluster },
          prefixRewrite: `${basePath}/`,
          hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: authority },
          timeout: NO_TIMEOUT,
        },
      },
      requestHeadersToAdd: headers.filter(({ secret }) => secret === undefined).map(({ name }) => empty(name)),
      requestHeadersToRemove: [...INTERNAL_HEADERS, ...remove],
    }),
  );
}

const empty = (name: string): HeaderValueOption => ({ ...overwrite(name, ''), keepEmptyValue: true });
