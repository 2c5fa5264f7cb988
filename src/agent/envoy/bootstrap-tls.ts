import { SDS_CLUSTER, SDS_SECRETS } from '../../model/names.js';
import { CONTROL_PLANE } from '../../model/spiffe.js';

/** Envoy starts beside its sidecar and may ask for its secrets a moment before they can be had; its own pause would be half a second. */
const SDS_BACKOFF = { base_interval: '0.02s', max_interval: '1s' };

const sdsConfig = {
  resource_api_version: 'V3',
  initial_fetch_timeout: '0s',
  api_config_source: {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [
      { envoy_grpc: { cluster_name: SDS_CLUSTER, retry_policy: { retry_back_off: SDS_BACKOFF, num_retries: 1_000_000 } } },
    ],
  },
};

/** The sidecar's SDS server: key, certificate and roots never leave the host. */
export const sdsCluster = (path: string): Readonly<Record<string, unknown>> => ({
  name: SDS_CLUSTER,
  type: 'STATIC',
  connect_timeout: '1s',
  load_assignment: {
    cluster_name: SDS_CLUSTER,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
  },
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
});

/** ADS: with this app's certificate, and only to the control plane's. The trust domain is the validator's to check; it comes by SDS. */
export const controlPlaneTls: Readonly<Record<string, unknown>> = {
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
      tls_certificate_sds_secret_configs: [{ name: SDS_SECRETS.identity, sds_config: sdsConfig }],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: [
            {
              san_type: 'URI',
              matcher: { safe_regex: { regex: `spiffe://[^/]+/ns/${CONTROL_PLANE.namespace}/${CONTROL_PLANE.appId}` } },
            },
          ],
        },
        validation_context_sds_secret_config: { name: SDS_SECRETS.roots, sds_config: sdsConfig },
      },
      alpn_protocols: ['h2'],
    },
  },
};
