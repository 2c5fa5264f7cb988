import { Registry } from 'prom-client';
import { type MetricsSettings, metricsSettings, SIZE_BUCKETS } from '../../model/metrics/spec.js';
import { type Bounds, counterFamily, type FamilyOptions, gaugeFamily, histogramFamily } from './family.js';
import { type HttpLabels, httpLabels } from './http-labels.js';
import { Relabeling, type Sample } from './relabeling.js';

/** Topics and actor types are named by traffic, so there may be no more of them than this. */
const MAX_NAMED_BY_TRAFFIC = 200;
/** Paths of traffic by verb and status, unless the Configuration wants operations. */
const MAX_HTTP = 300;

/** What says how HTTP requests are named. */
const namesOf = ({ increasedCardinality, excludeVerbs, paths }: MetricsSettings) =>
  JSON.stringify([increasedCardinality, excludeVerbs, paths]);
const allOf = (groups: Readonly<Record<string, Readonly<Record<string, { clear(): void }>>>>) =>
  Object.values(groups).flatMap((group) => Object.values(group));

/**
 * Dapr's documented series (reference §8) of what the filter service does. Some labels are named by traffic (paths, topics, actor types), so
 * each family has a bound.
 */
export function createSidecarMetrics(appId: string) {
  const registry = new Registry();
  registry.setDefaultLabels({ app_id: appId });
  const relabeling = new Relabeling();
  let counted: ReadonlyMap<string, readonly Sample[]> = new Map();
  let settings = metricsSettings({});
  let labels = httpLabels(settings, 0);
  const latencyBounds: Bounds = { values: settings.latencyBuckets };
  const sizeBounds: Bounds = { values: SIZE_BUCKETS };
  const family = (name: string, help: string, labels: readonly string[], max?: number): FamilyOptions => ({
    name: `dapr_${name}`,
    help,
    labels,
    registry,
    relabeling,
    others: (name) => counted.get(name) ?? [],
    ...(max ? { max } : {}),
  });
  const counter = (...args: Parameters<typeof family>) => counterFamily(family(...args));
  const latency = (...args: Parameters<typeof family>) => histogramFamily(family(...args), latencyBounds);
  const bytes = (...args: Parameters<typeof family>) => histogramFamily(family(...args), sizeBounds);
  const http = ['method', 'path', 'status'];
  const rpc = ['grpc_server_method', 'grpc_server_status'];
  const appRpc = ['grpc_client_method', 'grpc_client_status'];
  const store = ['component', 'namespace', 'operation', 'success'];
  const egress = ['component', 'namespace', 'topic', 'success'];
  const ingress = ['component', 'namespace', 'topic', 'process_status', 'status'];
  const topics = MAX_NAMED_BY_TRAFFIC;
  const actor = ['actor_type'];
  const resiliency = ['name', 'policy', 'namespace', 'flow_direction', 'target', 'status'];
  const probe = (prefix: string, status: string) => ({
    count: counter(`${prefix}completed_count`, 'Health checks of the app', [status]),
    latency: latency(`${prefix}roundtrip_latency`, 'Health checks of the app, milliseconds', [status]),
  });
  const httpFamilies = {
    http: {
      requests: counter('http_server_request_count', 'HTTP API requests', http, MAX_HTTP),
      responses: counter('http_server_response_count', 'HTTP API answers', http, MAX_HTTP),
      latency: latency('http_server_latency', 'HTTP API, milliseconds from request to answer', http, MAX_HTTP),
      requestBytes: bytes('http_server_request_bytes', 'HTTP API, bytes of request bodies', http, MAX_HTTP),
      responseBytes: bytes('http_server_response_bytes', 'HTTP API, bytes of answers with their heads', http, MAX_HTTP),
    },
    /** What the filter service asks of an app that speaks HTTP. */
    httpClient: {
      completed: counter('http_client_completed_count', 'Requests to the app', http, MAX_HTTP),
      latency: latency('http_client_roundtrip_latency', 'Requests to the app, milliseconds until their answer', http, MAX_HTTP),
      sentBytes: bytes('http_client_sent_bytes', 'Requests to the app, bytes of their bodies', http.slice(0, 2), MAX_HTTP),
      receivedBytes: bytes('http_client_received_bytes', 'Requests to the app, bytes of the bodies of answers', []),
    },
  };
  return {
    registry,
    relabeling,
    ...httpFamilies,
    /** @param samples what Envoy has counted until now, by name of a family that is here as well */
    showBeside(samples: ReadonlyMap<string, readonly Sample[]>) {
      counted = samples;
    },
    /** What the Configuration says now; before it came, the defaults. */
    settings: (): MetricsSettings => settings,
    httpLabels: (): HttpLabels => labels,
    configure(given: MetricsSettings) {
      if (JSON.stringify(given) === JSON.stringify(settings)) return;
      if (String(given.latencyBuckets) !== String(settings.latencyBuckets)) latencyBounds.values = given.latencyBuckets;
      relabeling.configure(given.rules);
      labels = httpLabels(given, labels.generation + 1);
      // Series of the old labels would leave those of the new ones no room.
      if (namesOf(given) !== namesOf(settings)) for (const one of allOf(httpFamilies)) one.clear();
      settings = given;
    },
    grpc: {
      completed: counter('grpc_io_server_completed_rpcs', 'gRPC API calls', rpc),
      latency: latency('grpc_io_server_server_latency', 'gRPC API, milliseconds from call to answer', rpc),
      receivedBytes: bytes('grpc_io_server_received_bytes_per_rpc', 'gRPC API, bytes of requests', rpc.slice(0, 1)),
      sentBytes: bytes('grpc_io_server_sent_bytes_per_rpc', 'gRPC API, bytes of answers', rpc.slice(0, 1)),
    },
    /** What the filter service asks of an app that speaks gRPC. */
    grpcClient: {
      completed: counter('grpc_io_client_completed_rpcs', 'Calls of the app', appRpc),
      latency: latency('grpc_io_client_roundtrip_latency', 'Calls of the app, milliseconds until their answer', appRpc),
      sentBytes: bytes('grpc_io_client_sent_bytes_per_rpc', 'Calls of the app, bytes of requests', appRpc.slice(0, 1)),
      receivedBytes: bytes('grpc_io_client_received_bytes_per_rpc', 'Calls of the app, bytes of answers', appRpc.slice(0, 1)),
    },
    errors: counter('error_code_total', 'Errors that the API answered with', ['error_code', 'category']),
    state: {
      count: counter('component_state_count', 'Calls of state stores', store),
      latency: latency('component_state_latencies', 'Calls of state stores, milliseconds', store),
    },
    secrets: {
      count: counter('component_secret_count', 'Calls of secret stores', store),
      latency: latency('component_secret_latencies', 'Calls of secret stores, milliseconds', store),
    },
    pubsub: {
      egress: counter('component_pubsub_egress_count', 'Published events', egress, topics),
      egressLatency: latency('component_pubsub_egress_latencies', 'Publishing, milliseconds', egress, topics),
      bulkEgress: counter('component_pubsub_egress_bulk_count', 'Bulk publishes', egress, topics),
      bulkEgressEvents: counter('component_pubsub_egress_bulk_event_count', 'Events of bulk publishes', egress, topics),
      bulkEgressLatency: latency('component_pubsub_egress_bulk_latencies', 'Bulk publishing, milliseconds', egress, topics),
      ingress: counter('component_pubsub_ingress_count', 'Events delivered to the app', ingress, topics),
      ingressLatency: latency('component_pubsub_ingress_latencies', 'Delivery to the app, milliseconds', ingress, topics),
      bulkIngress: counter('component_pubsub_ingress_bulk_count', 'Bulk deliveries to the app', ingress, topics),
      bulkIngressEvents: counter('component_pubsub_ingress_bulk_event_count', 'Events of bulk deliveries', ingress, topics),
      bulkIngressLatency: latency('component_pubsub_ingress_bulk_latencies', 'Bulk delivery, milliseconds', ingress, topics),
    },
    actors: {
      pending: gaugeFamily(family('runtime_actor_pending_actor_calls', 'Calls that run or wait for their turn', actor, topics)),
      deactivated: counter('runtime_actor_deactivated_total', 'Actors that left this host', actor, topics),
      deactivateFailed: counter('runtime_actor_deactivated_failed_total', 'Deactivations that the app failed', actor, topics),
      rebalanced: counter('runtime_actor_rebalanced_total', 'Actors that moved to another host', actor, topics),
      placements: counter(
        'runtime_actor_table_operation_recv_total',
        'Changes of who hosts an actor type',
        ['actor_type', 'operation'],
        topics,
      ),
      reports: counter('runtime_actor_status_report_total', 'Reports that the control plane took', ['operation']),
      failedReports: counter('runtime_actor_status_report_fail_total', 'Reports that did not arrive, or were refused', [
        'operation',
        'reason',
      ]),
      activated: counterFamily({
        ...family('', 'Actors that became live here', actor, topics),
        name: 'weft_actor_activated_total',
      }),
      active: gaugeFamily({ ...family('', 'Actors that are live here', actor, topics), name: 'weft_actor_active' }),
    },
    resiliency: {
      loaded: gaugeFamily(family('resiliency_loaded', 'Resiliency documents in force', ['name', 'namespace'])),
      count: counter('resiliency_count', 'Tries that ran under a resiliency policy', resiliency),
      activations: counter('resiliency_activations_total', 'Times that a resiliency policy did something', resiliency),
      breaker: gaugeFamily(family('resiliency_cb_state', 'Circuit breakers: 0 closed, 1 half open, 2 open', resiliency)),
    },
    probes: {
      http: probe('http_healthprobes_', 'status'),
      grpc: probe('grpc_io_healthprobes_', 'grpc_client_status'),
    },
    components: {
      loaded: gaugeFamily(family('runtime_component_loaded', 'Components in force', [])).of(),
      init: counter('runtime_component_init_total', 'Components that came in force', ['component']),
      initFailed: counter('runtime_component_init_fail_total', 'Components that could not be put in force, each try', [
        'component',
        'reason',
        'component_name',
      ]),
      refused: gaugeFamily({ ...family('', 'Components that are refused now', []), name: 'weft_components_refused' }),
    },
  };
}

export type SidecarMetrics = ReturnType<typeof createSidecarMetrics>;
