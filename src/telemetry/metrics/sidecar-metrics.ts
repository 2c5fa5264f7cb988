import { Registry } from 'prom-client';
import { counterFamily, type FamilyOptions, gaugeFamily, histogramFamily } from './family.js';

/** Milliseconds, as the reference has them (§4.2, `latencyDistributionBuckets`). */
const LATENCY_MS = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000],
  ...[2000, 5000, 10_000, 20_000, 50_000, 100_000],
];
const BYTES = [
  1024, 2048, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456, 1_073_741_824,
];

/** Topics and actor types are named by traffic, so there may be no more of them than this. */
const MAX_NAMED_BY_TRAFFIC = 200;

/**
 * Dapr's documented series (reference §8) of what the filter service does. Labels hold operation names, component names and such, never a
 * path, a key or an id: their number does not grow with traffic.
 */
export function createSidecarMetrics(appId: string) {
  const registry = new Registry();
  registry.setDefaultLabels({ app_id: appId });
  const family = (name: string, help: string, labels: readonly string[], max?: number): FamilyOptions => ({
    name: `dapr_${name}`,
    help,
    labels,
    registry,
    ...(max ? { max } : {}),
  });
  const counter = (...args: Parameters<typeof family>) => counterFamily(family(...args));
  const latency = (...args: Parameters<typeof family>) => histogramFamily(family(...args), LATENCY_MS);
  const bytes = (...args: Parameters<typeof family>) => histogramFamily(family(...args), BYTES);
  const http = ['method', 'path', 'status'];
  const rpc = ['grpc_server_method', 'grpc_server_status'];
  const state = ['component', 'namespace', 'operation', 'success'];
  const egress = ['component', 'namespace', 'topic', 'success'];
  const ingress = ['component', 'namespace', 'topic', 'process_status', 'status'];
  const topics = MAX_NAMED_BY_TRAFFIC;
  const actor = ['actor_type'];
  const resiliency = ['name', 'policy', 'namespace', 'flow_direction', 'target', 'status'];
  const probe = (prefix: string, count: string) => ({
    count: counter(`${prefix}${count}`, 'Health checks of the app', ['success']),
    latency: latency(`${prefix}roundtrip_latency`, 'Health checks of the app, milliseconds', ['success']),
  });
  return {
    registry,
    http: {
      requests: counter('http_server_request_count', 'HTTP API requests', http),
      responses: counter('http_server_response_count', 'HTTP API answers', http),
      latency: latency('http_server_latency', 'HTTP API, milliseconds from request to answer', http),
      requestBytes: bytes('http_server_request_bytes', 'HTTP API, bytes of request bodies', http),
      responseBytes: bytes('http_server_response_bytes', 'HTTP API, bytes of answers with their heads', http),
    },
    grpc: {
      completed: counter('grpc_io_server_completed_rpcs', 'gRPC API calls', rpc),
      latency: latency('grpc_io_server_server_latency', 'gRPC API, milliseconds from call to answer', rpc),
    },
    state: {
      count: counter('component_state_count', 'Calls of state stores', state),
      latency: latency('component_state_latencies', 'Calls of state stores, milliseconds', state),
    },
    pubsub: {
      egress: counter('component_pubsub_egress_count', 'Published events', egress, topics),
      egressLatency: latency('component_pubsub_egress_latencies', 'Publishing, milliseconds', egress, topics),
      bulkEgress: counter('component_pubsub_egress_bulk_count', 'Bulk publishes', egress, topics),
      bulkEgressEvents: counter('component_pubsub_egress_bulk_event_count', 'Events of bulk publishes', egress, topics),
      bulkEgressLatency: latency('component_pubsub_egress_bulk_latencies', 'Bulk publishing, milliseconds', egress, topics),
      ingress: counter('component_pubsub_ingress_count', 'Events delivered to the app', ingress, topics),
      ingressLatency: latency('component_pubsub_ingress_latencies', 'Delivery to the app, milliseconds', ingress, topics),
      bulkIngress: counter('component_pubsub_bulk_ingress_count', 'Bulk deliveries to the app', ingress, topics),
      bulkIngressEvents: counter('component_pubsub_bulk_ingress_event_count', 'Events of bulk deliveries', ingress, topics),
      bulkIngressLatency: latency('component_pubsub_bulk_ingress_latencies', 'Bulk delivery, milliseconds', ingress, topics),
    },
    actors: {
      pending: gaugeFamily(family('runtime_actor_pending_actor_calls', 'Calls that run or wait for their turn', actor, topics)),
      deactivated: counter('runtime_actor_deactivated_total', 'Actors that left this host', actor, topics),
      deactivateFailed: counter('runtime_actor_deactivated_failed_total', 'Deactivations that the app failed', actor, topics),
    },
    resiliency: {
      count: counter('resiliency_count', 'Tries that ran under a resiliency policy', resiliency),
      activations: counter('resiliency_activations_total', 'Times that a resiliency policy did something', resiliency),
      breaker: gaugeFamily(
        family('resiliency_cb_state', 'Circuit breakers: 0 closed, 1 half open, 2 open', resiliency.slice(0, -1)),
      ),
    },
    probes: {
      http: probe('http_healthprobes_', 'completed_count'),
      grpc: probe('grpc_io_healthprobes_', 'completed_rpcs'),
    },
    components: {
      loaded: gaugeFamily(family('runtime_component_loaded', 'Components in force', [])).of(),
      init: counter('runtime_component_init_total', 'Components that came in force', ['type']),
      failed: gaugeFamily(family('runtime_component_init_fail_total', 'Components that are refused now', [])).of(),
    },
  };
}

export type SidecarMetrics = ReturnType<typeof createSidecarMetrics>;
