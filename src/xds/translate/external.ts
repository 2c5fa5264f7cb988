import { Cluster, Cluster_DiscoveryType } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { HeaderValueOption, TransportSocket } from '../../gen/envoy/config/core/v3/base.js';
import { Route } from '../../gen/envoy/config/route/v3/route_components.js';
import {
  CertificateValidationContext,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/common.js';
import { UpstreamTlsContext } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import { HttpProtocolOptions } from '../../gen/weft/envoy/v1/http_protocol_options.js';
import { type ExternalEndpoint, type ExternalTls, originSpellings } from '../../model/external/endpoint.js';
import { externalCluster, SYSTEM_ROOTS } from '../../model/names.js';
import type { Resource } from '../resource.js';
import { messageTypes, pack } from './any.js';
import { http1, http2 } from './http-options.js';
import { makeResource, REDACTED } from './resource.js';
import type { AppRoutes } from './route.js';
import { NO_TIMEOUT } from './route-target.js';
import { duration, overwrite, tcp } from './values.js';

/** Services outside of the mesh: reached only when an HTTPEndpoint names their host, and told nothing about who calls. */

const CONNECT_MS = 5000;
const IDLE_MS = 30_000;
const BUFFER_BYTES = 256 * 1024;

/** @returns the cluster of an external service; its name and its certificate are checked against the URL's host */
export const externalClusterResource = (endpoint: ExternalEndpoint): Resource =>
  outsideCluster(externalCluster(endpoint.namespace, endpoint.name), endpoint);

/** @returns the cluster of one address outside of the mesh */
export function outsideCluster(name: string, { host, port, tls }: Pick<ExternalEndpoint, 'host' | 'port' | 'tls'>): Resource {
  const isAddress = /^[\d.]+$|:/.test(host);
  const options: HttpProtocolOptions = {
    ...HttpProtocolOptions.fromPartial({ commonHttpProtocolOptions: { idleTimeout: duration(IDLE_MS) } }),
    // With TLS the service says by ALPN whether it speaks HTTP/2.
    upstreamProtocolOptions: tls
      ? { $case: 'autoConfig', value: { httpProtocolOptions: http1, http2ProtocolOptions: http2 } as never }
      : { $case: 'explicitHttpConfig', value: { protocolConfig: { $case: 'httpProtocolOptions', value: http1 } } },
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
  const withKey = { ...cluster, transportSocket: tls && tlsSocket(tls) };
  const withoutKey = { ...cluster, transportSocket: tls && tlsSocket({ ...tls, client: tls.client && HIDDEN }) };
  return makeResource(messageTypes.cluster, name, withKey, () => withoutKey);
}

const HIDDEN = { certificate: REDACTED, privateKey: REDACTED };

function tlsSocket({ serverName, isAddress, rootCa, client, allowRenegotiation }: ExternalTls): TransportSocket {
  const sanType = isAddress ? SubjectAltNameMatcher_SanType.IP_ADDRESS : SubjectAltNameMatcher_SanType.DNS;
  const matcher = { matchPattern: { $case: 'exact', value: serverName } as const, ignoreCase: !isAddress };
  const inline = (text: string) => ({ specifier: { $case: 'inlineString', value: text } as const });
  const context = UpstreamTlsContext.fromPartial({
    sni: isAddress ? '' : serverName,
    allowRenegotiation,
    commonTlsContext: {
      tlsParams: { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2 },
      tlsCertificates: client ? [{ certificateChain: inline(client.certificate), privateKey: inline(client.privateKey) }] : [],
    },
  });
  const names = CertificateValidationContext.fromPartial({ matchTypedSubjectAltNames: [{ sanType, matcher, oid: '' }] });
  if (context.commonTlsContext)
    context.commonTlsContext.validationContextType = rootCa
      ? { $case: 'validationContext', value: { ...names, trustedCa: { ...inline(rootCa), watchedDirectory: undefined } } }
      : {
          $case: 'combinedValidationContext',
          value: {
            defaultValidationContext: names,
            validationContextSdsSecretConfig: { name: SYSTEM_ROOTS, sdsConfig: undefined },
          },
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
  const byUrl = { ...endpoint, basePath: '', headers: [] };
  const prefix = (id: string) => `/v1.0/invoke/${id}/method/`;
  const path = (id: string, of: ExternalEndpoint) => [prefix(id), route(of, prefix(id), [])] as const;
  const basic = `Basic ${Buffer.from(`dapr-app-id:${name}`).toString('base64')}`;
  return {
    byPath: new Map([path(encodeURIComponent(name), endpoint), ...inPath.map((id) => path(id, byUrl))]),
    byAppId: new Map([[name, route(endpoint, '/', [])], ...inHeader.map((id) => [id, route(byUrl, '/', [])] as const)]),
    byBasicAuth: new Map([[basic, route(endpoint, '/', ['authorization'])]]),
  };
}

function route(
  { namespace, name, authority, basePath, headers }: ExternalEndpoint,
  prefix: string,
  remove: readonly string[],
): Any {
  const cluster = externalCluster(namespace, name);
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
      requestHeadersToAdd: headers.map(toHeader),
      requestHeadersToRemove: [...INTERNAL_HEADERS, ...remove],
    }),
  );
}

/** A variable is read by Envoy, in the sidecar's own environment: what stands in it never leaves that host but for the service. */
const toHeader = ({ name, from }: ExternalEndpoint['headers'][number]): HeaderValueOption =>
  overwrite(name, 'env' in from ? `%ENVIRONMENT(${from.env})%` : from.value.replaceAll('%', '%%'));
