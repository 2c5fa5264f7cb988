import type { CertificateFiles } from './certificates.js';

/** What one hand-written Envoy does: take requests on a port and hand them on. */
export interface HopConfig {
  readonly listenPort: number;
  readonly to: { readonly port: number } | { readonly pipe: string };
  readonly protocol: 'http' | 'grpc';
  /** Taken off the front of the path on the way. */
  readonly stripPrefix?: string;
  /** mTLS on the way in, on the way out, or both. */
  readonly tls?: { readonly own: CertificateFiles; readonly from?: string; readonly to?: string };
}

export const INVOKE_PREFIX = '/v1.0/invoke/bench-app/method/';

/** @returns a static bootstrap (JSON is YAML too) with Envoy's defaults: one listener, one connection manager, one cluster */
export function hopConfig(hop: HopConfig): string {
  return JSON.stringify({
    node: { id: `bench-${hop.listenPort}`, cluster: 'bench' },
    static_resources: { listeners: [listener(hop)], clusters: [cluster(hop)] },
  });
}

function listener({ listenPort, stripPrefix, tls }: HopConfig): object {
  const strip = stripPrefix
    ? [{ match: { prefix: stripPrefix }, route: { cluster: 'next', prefix_rewrite: '/', timeout: '0s' } }]
    : [];
  const routes = [
    { match: { path: '/v1.0/healthz' }, direct_response: { status: 204 } },
    ...strip,
    { match: { prefix: '/' }, route: { cluster: 'next', timeout: '0s' } },
  ];
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'in',
    route_config: { name: 'routes', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    name: 'in',
    address: { socket_address: { address: '127.0.0.1', port_value: listenPort } },
    filter_chains: [
      {
        filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
        ...(tls?.from ? { transport_socket: transportSocket('Downstream', tls.own, tls.from) } : {}),
      },
    ],
  };
}

/** Mutual TLS 1.3 with the files' key, for one peer; what is not said is Envoy's default. */
function transportSocket(side: 'Downstream' | 'Upstream', own: CertificateFiles, peer: string): object {
  const context = {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: own.certificate }, private_key: { filename: own.key } }],
    validation_context: {
      trusted_ca: { filename: own.root },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
    },
    alpn_protocols: side === 'Downstream' ? ['h2', 'http/1.1'] : [],
  };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`,
      common_tls_context: context,
      ...(side === 'Downstream' ? { require_client_certificate: true } : {}),
    },
  };
}

function cluster({ to, protocol, tls }: HopConfig): object {
  const address = 'pipe' in to ? { pipe: { path: to.pipe } } : { socket_address: { address: '127.0.0.1', port_value: to.port } };
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  return {
    name: 'next',
    type: 'STATIC',
    connect_timeout: '5s',
    ...(tls?.to ? { transport_socket: transportSocket('Upstream', tls.own, tls.to) } : {}),
    ...(protocol === 'grpc' ? { typed_extension_protocol_options: http2 } : {}),
    load_assignment: { cluster_name: 'next', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}
