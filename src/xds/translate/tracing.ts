import { Cluster, Cluster_DiscoveryType } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import { OpenTelemetryConfig } from '../../gen/envoy/config/trace/v3/opentelemetry.js';
import {
  type HttpConnectionManager,
  HttpConnectionManager_Tracing,
  RequestIDExtension,
} from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { UuidRequestIdConfig } from '../../gen/envoy/extensions/request_id/uuid/v3/uuid.js';
import { FractionalPercent_DenominatorType } from '../../gen/envoy/type/v3/percent.js';
import type { Instance } from '../../model/instance.js';
import { SPANS_CLUSTER } from '../../model/names.js';
import { readsB3 } from '../../model/telemetry.js';
import type { Resource } from '../resource.js';
import { extension, messageTypes, pack } from './any.js';
import type { AppSettings } from './app-settings.js';
import { traceFromB3 } from './early-headers.js';
import { makeResource } from './resource.js';
import { tracedShare } from './traced-share.js';
import { duration, pipe } from './values.js';

/**
 * Spans of the data path, by Envoy's OpenTelemetry tracer. They go to the sidecar over a Unix socket, which names them and sends them on:
 * collectors, their tokens and the names of spans stay out of xDS, and no call pays for a name that nobody will read.
 */

const EXPORT_MS = 1000;
const MILLION = 1_000_000;

/**
 * @param share of the traces starting here that are recorded
 * @returns what a listener's connection manager needs to trace; nothing for a share of 0
 */
export function connectionTracing({ appId }: Instance, share: number): Partial<HttpConnectionManager> {
  if (share === 0) return {};
  const name = 'envoy.tracers.opentelemetry';
  const config = pack(messageTypes.openTelemetry, tracer(appId, share));
  return {
    tracing: HttpConnectionManager_Tracing.fromPartial({
      provider: { name, configType: { $case: 'typedConfig', value: config } },
    }),
    requestIdExtension: tracerDecides,
  };
}

/** The tracer decides what is recorded, and not the request id, which we neither make nor change. */
const tracerDecides = RequestIDExtension.fromPartial({
  typedConfig: pack(
    messageTypes.uuidRequestId,
    UuidRequestIdConfig.fromPartial({ packTraceReason: false, useRequestIdForTraceSampling: false }),
  ),
});

function tracer(serviceName: string, share: number): OpenTelemetryConfig {
  return OpenTelemetryConfig.fromPartial({
    httpService: {
      httpUri: {
        uri: 'http://localhost/v1/traces',
        httpUpstreamType: { $case: 'cluster', value: SPANS_CLUSTER },
        timeout: duration(EXPORT_MS),
      },
    },
    serviceName,
    sampler: extension('envoy.tracers.opentelemetry.samplers.parent_based', messageTypes.parentBasedSampler, {
      wrappedSampler: extension('envoy.tracers.opentelemetry.samplers.trace_id_ratio_based', messageTypes.ratioSampler, {
        samplingPercentage: { numerator: Math.round(share * MILLION), denominator: FractionalPercent_DenominatorType.MILLION },
      }),
    }),
  });
}

/** @returns what reads the callers' B3 headers on a listener that takes an app's calls, where that is wanted */
export const b3Reading = (instance: Instance, settings: AppSettings): readonly TypedExtensionConfig[] =>
  readsB3(settings.spec) && tracedShare(instance, settings) > 0 ? traceFromB3 : [];

/** @returns the cluster of the sidecar that takes the spans, when there are any */
export function spanClusters(instance: Instance, settings: AppSettings): readonly Resource[] {
  if (tracedShare(instance, settings) === 0) return [];
  const address = pipe(instance.spanSink?.socket ?? '');
  const cluster = Cluster.fromPartial({
    name: SPANS_CLUSTER,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(EXPORT_MS),
    loadAssignment: {
      clusterName: SPANS_CLUSTER,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address } } }] }],
    },
  });
  return [makeResource(messageTypes.cluster, SPANS_CLUSTER, cluster)];
}
