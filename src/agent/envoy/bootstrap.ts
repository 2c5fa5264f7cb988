import { LATENCY_BUCKETS } from '../../model/metrics/spec.js';
import {
  ADS_CLUSTER,
  LOCAL_APP_CLUSTER,
  MAX_CALLS_A_CONNECTION,
  type NodeIdentity,
  nodeId,
  SYSTEM_ROOTS,
} from '../../model/names.js';
import { controlPlaneTls, sdsCluster } from './bootstrap-tls.js';

export interface BootstrapOptions {
  readonly node: NodeIdentity;
  /** `host:port` of the control plane's gRPC port. */
  readonly controlPlane: string;
  /** Unix socket of Envoy's admin interface: no other user of the machine may reach it. */
  readonly adminSocket: string;
  /** Unix socket of the sidecar's SDS server. */
  readonly sdsSocket: string;
  /** The control plane is spoken to with this app's certificate. */
  readonly mtls: boolean;
  /** File with the certificate authorities that external services are checked against; undefined: none is known. */
  readonly caBundle?: string | undefined;
}

/** Envoy's reconnect to the control plane starts quickly: what runs goes on, but changes must not wait long for a restarted one. */
const ADS_BACKOFF = { base_interval: '0.1s', max_interval: '2s' };
/** A safety net far above what one app does; without it a flood of connections ends in the kernel's OOM killer. */
const MAX_CONNECTIONS = 50_000;

/** How long Envoy keeps a span at most, and so what a stop must wait for. A look five times a second costs nothing that can be measured. */
export const SPAN_FLUSH_MS = 200;

/** Envoy's own bound of 100 instructions is less than `/[a-z]{1,100}`; how large an expression may be is checked when a route is read. */
const RUNTIME = {
  're2.max_program_size.error_level': 4_294_967_295,
  // A connection with half as many calls given up at once is an attacker's (CVE-2023-44487). At Envoy's own 500 it may be that of another
  // sidecar whose apps are impatient; those take a new connection before.
  'overload.premature_reset_total_stream_count': 3 * MAX_CALLS_A_CONNECTION,
  // Spans go to the sidecar in few requests, and soon; Envoy's own numbers are 5 and 5 s.
  'tracing.opentelemetry.min_flush_spans': 100,
  'tracing.opentelemetry.flush_interval_ms': SPAN_FLUSH_MS,
};

/**
 * The series that we show or need ourselves (draining watches `downstream_rq_active`). Envoy makes no others,
 * which spares it memory for each cluster of a large mesh.
 */
const KEPT_PREFIXES = ['control_plane.', 'cluster_manager.', 'listener_manager.', 'server.'];
const KEPT_SUFFIXES = [
  '.downstream_rq_active',
  '.downstream_rq_total',
  '.downstream_rq_2xx',
  '.downstream_rq_3xx',
  '.downstream_rq_4xx',
  '.downstream_rq_5xx',
  '.downstream_rq_time',
  '.downstream_cx_active',
  '.downstream_cx_total',
  '.upstream_rq_active',
  '.upstream_rq_total',
  '.upstream_rq_time',
  '.upstream_rq_retry',
  '.upstream_rq_timeout',
  '.upstream_rq_per_try_timeout',
  '.upstream_rq_pending_overflow',
  '.upstream_cx_active',
  '.upstream_cx_connect_fail',
  '.upstream_cx_none_healthy',
  '.membership_healthy',
  '.membership_total',
  '.outlier_detection.ejections_active',
  '.outlier_detection.ejections_enforced_total',
  '.ssl.handshake',
  '.ssl.connection_error',
  '.rbac.allowed',
  '.rbac.denied',
];
/** Of this one cluster only. */
const KEPT_OF_APP = ['.upstream_cx_tx_bytes_total', '.upstream_cx_rx_bytes_total'].map(
  (suffix) => `cluster.${LOCAL_APP_CLUSTER}${suffix}`,
);

/**
 * Answers by their status, which the routers of a caller count, and those of a callee where paths are counted; decisions of access rules by
 * their names, which a plain prefix does not find, since Envoy makes such names when they are first used.
 */
const KEPT_PATTERNS = [
  '(cluster\\.(app|actor|external|local)\\||vhost\\.).*\\.upstream_rq_[1-5][0-9][0-9]',
  'http\\.inbound\\.rbac\\.policy\\..*',
];

/** @returns Envoy's bootstrap as plain data: everything else comes over one delta ADS stream */
export function bootstrapOf(options: BootstrapOptions): Readonly<Record<string, unknown>> {
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: nodeId(options.node), cluster: `${options.node.namespace}/${options.node.appId}` },
    admin: { address: { pipe: { path: options.adminSocket, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          { envoy_grpc: { cluster_name: ADS_CLUSTER, retry_policy: { retry_back_off: ADS_BACKOFF, num_retries: 1_000_000 } } },
        ],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: { clusters: clusters(options), ...systemRoots(options.caBundle) },
    layered_runtime: { layers: [{ name: 'weft', static_layer: RUNTIME }] },
    stats_config: {
      use_all_default_tags: false,
      // Else `app|default|orders` could not be read from the name of a series any more.
      stats_tags: ['cluster_name', 'http_conn_manager_prefix', 'virtual_host', 'virtual_cluster', 'rbac_policy_name'].map(
        (name) => ({
          tag_name: `envoy.${name}`,
        }),
      ),
      histogram_bucket_settings: [{ match: { suffix: 'stream_rq_time' }, buckets: LATENCY_BUCKETS }],
      stats_matcher: {
        inclusion_list: {
          patterns: [
            ...KEPT_PREFIXES.map((prefix) => ({ prefix })),
            ...KEPT_SUFFIXES.map((suffix) => ({ suffix })),
            ...KEPT_OF_APP.map((exact) => ({ exact })),
            ...KEPT_PATTERNS.map((regex) => ({ safe_regex: { regex } })),
          ],
        },
      },
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: MAX_CONNECTIONS,
          },
        },
      ],
    },
  };
}

/** Read when a cluster first asks for it. */
const systemRoots = (path: string | undefined) =>
  path ? { secrets: [{ name: SYSTEM_ROOTS, validation_context: { trusted_ca: { filename: path } } }] } : {};

function clusters({ controlPlane, sdsSocket, mtls }: BootstrapOptions): readonly unknown[] {
  const plain = controlPlaneCluster(controlPlane);
  return [sdsCluster(sdsSocket), mtls ? { ...plain, transport_socket: controlPlaneTls } : plain];
}

function controlPlaneCluster(address: string): Readonly<Record<string, unknown>> {
  const { host, port } = splitHostPort(address);
  return {
    name: ADS_CLUSTER,
    // A name in place of an address is looked up again and again, since a control plane may move.
    type: /^[\d.]+$|:/.test(host) ? 'STATIC' : 'STRICT_DNS',
    // Also for the handshake, which takes long on a machine that starts many sidecars at once.
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: ADS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: {
          // Notices a control plane that is gone without a word, such as a machine that lost power.
          http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '5s' } },
        },
      },
    },
  };
}

/** @param address `host:port`, an IPv6 host in brackets */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
