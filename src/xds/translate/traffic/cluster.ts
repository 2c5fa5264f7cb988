import { CircuitBreakers } from '../../../gen/envoy/config/cluster/v3/circuit_breaker.js';
import {
  type Cluster,
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfig,
  Cluster_MaglevLbConfig,
  Cluster_RoundRobinLbConfig,
  Cluster_SlowStartConfig,
} from '../../../gen/envoy/config/cluster/v3/cluster.js';
import { OutlierDetection } from '../../../gen/envoy/config/cluster/v3/outlier_detection.js';
import { MatchPredicate } from '../../../gen/envoy/config/common/matcher/v3/matcher.js';
import type { Any } from '../../../gen/google/protobuf/any.js';
import { HttpProtocolOptions } from '../../../gen/weft/envoy/v1/http_protocol_options.js';
import type { BackendPolicy, EjectionRule } from '../../../model/traffic/backend-policy.js';
import type { CircuitBreakerRule } from '../../../model/traffic/resiliency.js';
import { messageTypes, pack } from '../any.js';
import { duration } from '../values.js';
import { failures } from './retry-policy.js';

/** What policies say about the instances of an app, as its callers see them. */
export interface ClusterTraffic {
  readonly breaker?: CircuitBreakerRule | undefined;
  readonly policy?: BackendPolicy | undefined;
}

/** @returns `cluster` with its instances chosen, limited and ejected as `traffic` says */
export function steerCluster(cluster: Cluster, { breaker, policy }: ClusterTraffic): Cluster {
  const outlierDetection = ejection(policy?.ejection, breaker);
  return {
    ...cluster,
    ...choice(policy),
    circuitBreakers: limits(cluster.circuitBreakers, policy),
    outlierDetection,
    ...(breaker
      ? {
          // A breaker that is open for every instance lets nothing through; panic routing would.
          commonLbConfig: { ...cluster.commonLbConfig, healthyPanicThreshold: { value: 0 } } as Cluster['commonLbConfig'],
          typedExtensionProtocolOptions: withFailures(cluster.typedExtensionProtocolOptions),
        }
      : {}),
  };
}

/** Dapr's breaker counts from 400 on and gRPC's codes; Envoy's outlier detection by itself from 500 on. */
const errorMatcher = MatchPredicate.fromPartial({
  rule: {
    $case: 'orMatch',
    value: {
      rules: failures({ statuses: [[400, 599]], grpcCodes: [[1, 16]] }).map((header) => ({
        rule: { $case: 'httpResponseHeadersMatch', value: { headers: [header] } },
      })),
    },
  },
});
const withMatcher = pack(
  messageTypes.httpProtocolOptions,
  HttpProtocolOptions.fromPartial({ outlierDetection: { errorMatcher } }),
);

/** Two encodings of one message in a row are the message with the fields of both. */
const withFailures = (options: { readonly [key: string]: Any }): { [key: string]: Any } =>
  Object.fromEntries(
    Object.entries(options).map(([key, any]) => [
      key,
      any.typeUrl === withMatcher.typeUrl ? { ...any, value: Buffer.concat([any.value, withMatcher.value]) } : any,
    ]),
  );

/** How often Envoy looks whether an ejected instance may come back. */
const sweepMs = (openMs: number) => Math.min(1000, Math.max(50, Math.round(openMs / 10)));

function ejection(rule: EjectionRule | undefined, breaker: CircuitBreakerRule | undefined): OutlierDetection | undefined {
  if (!rule && !breaker) return undefined;
  return OutlierDetection.fromPartial({
    consecutive5xx: breaker?.failures ?? (rule?.serverErrors || 5),
    enforcingConsecutive5xx: breaker?.failures || (!breaker && rule?.serverErrors) ? 100 : 0,
    consecutiveGatewayFailure: rule?.gatewayErrors || 5,
    enforcingConsecutiveGatewayFailure: rule?.gatewayErrors ? 100 : 0,
    enforcingSuccessRate: 0,
    enforcingFailurePercentage: breaker?.share ? 100 : 0,
    failurePercentageThreshold: breaker?.share?.percent,
    failurePercentageRequestVolume: breaker?.share?.calls,
    failurePercentageMinimumHosts: breaker?.share ? 1 : undefined,
    maxEjectionPercent: breaker ? 100 : rule?.maxPercent,
    interval: duration(breaker ? (breaker.share?.intervalMs ?? sweepMs(breaker.openMs)) : (rule?.intervalMs ?? 3000)),
    baseEjectionTime: duration(breaker?.openMs ?? rule?.baseMs ?? 30_000),
    // Envoy ejects longer each time; a breaker is open for the same time whenever it opens.
    maxEjectionTime: breaker ? duration(breaker.openMs) : undefined,
  });
}

function limits(base: CircuitBreakers | undefined, policy: BackendPolicy | undefined): CircuitBreakers | undefined {
  const { connections, pending, requests, retries } = policy?.limits ?? {};
  if ([connections, pending, requests, retries].every((limit) => limit === undefined)) return base;
  const [first] = base?.thresholds ?? [];
  return CircuitBreakers.fromPartial({
    thresholds: [
      {
        maxConnections: connections ?? first?.maxConnections,
        maxPendingRequests: pending ?? first?.maxPendingRequests,
        maxRequests: requests ?? first?.maxRequests,
        maxRetries: retries ?? first?.maxRetries,
      },
    ],
  });
}

function choice(policy: BackendPolicy | undefined): Partial<Cluster> {
  const slowStartConfig = policy?.slowStartMs
    ? Cluster_SlowStartConfig.fromPartial({ slowStartWindow: duration(policy.slowStartMs) })
    : undefined;
  switch (policy?.choice) {
    case 'random':
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    case 'hash':
      return {
        lbPolicy: Cluster_LbPolicy.MAGLEV,
        lbConfig: policy.tableSize
          ? { $case: 'maglevLbConfig', value: Cluster_MaglevLbConfig.fromPartial({ tableSize: policy.tableSize }) }
          : undefined,
      };
    case 'least-request':
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        lbConfig: slowStartConfig && {
          $case: 'leastRequestLbConfig',
          value: Cluster_LeastRequestLbConfig.fromPartial({ slowStartConfig }),
        },
      };
    default:
      return slowStartConfig
        ? { lbConfig: { $case: 'roundRobinLbConfig', value: Cluster_RoundRobinLbConfig.fromPartial({ slowStartConfig }) } }
        : {};
  }
}
