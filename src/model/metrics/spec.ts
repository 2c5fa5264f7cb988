import { compareTemplates, type PathTemplate, pathTemplate } from './path-template.js';

/** `Configuration.spec.metrics` (reference §4.2), read the same way by control plane and filter service. */
export interface MetricsSpec {
  readonly enabled?: boolean | null;
  readonly recordErrorCodes?: boolean | null;
  readonly http?: HttpMetricsSpec | null;
  readonly latencyDistributionBuckets?: readonly number[] | null;
  readonly rules?: readonly MetricsRuleSpec[] | null;
}

interface HttpMetricsSpec {
  readonly increasedCardinality?: boolean | null;
  readonly pathMatching?: readonly string[] | null;
  readonly excludeVerbs?: boolean | null;
}

/** Each label's `regex` is from what takes the place to what is replaced, as Dapr has it. */
export interface MetricsRuleSpec {
  readonly name: string;
  readonly labels?: readonly { readonly name: string; readonly regex?: Readonly<Record<string, string>> | null }[] | null;
}

/** Both names stand for one thing. */
export interface WithMetrics {
  readonly metrics?: MetricsSpec | null;
  readonly metric?: MetricsSpec | null;
}

/** Milliseconds. */
export const LATENCY_BUCKETS: readonly number[] = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000],
  ...[2000, 5000, 10_000, 20_000, 50_000, 100_000],
];
/** Bytes, as Dapr has them: 1 KiB to 4 GiB. */
export const SIZE_BUCKETS: readonly number[] = [
  ...[1024, 2048, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456],
  ...[1_073_741_824, 4_294_967_296],
];

export interface MetricsSettings {
  readonly enabled: boolean;
  readonly recordErrorCodes: boolean;
  /** Paths of the API become labels, in Dapr's short form; else its operations. */
  readonly increasedCardinality: boolean;
  readonly excludeVerbs: boolean;
  /** The narrowest first. */
  readonly paths: readonly PathTemplate[];
  /** Upper bounds, ascending, milliseconds. */
  readonly latencyBuckets: readonly number[];
  readonly rules: readonly MetricsRuleSpec[];
}

/** @returns what is in force; of two documents' parts that under `metrics` counts, as in Dapr */
export function metricsSettings({ metrics, metric }: WithMetrics): MetricsSettings {
  const http = metrics?.http ?? metric?.http;
  const buckets = firstFilled(metrics?.latencyDistributionBuckets, metric?.latencyDistributionBuckets);
  return {
    enabled: (metrics?.enabled ?? metric?.enabled) !== false,
    recordErrorCodes: (metrics?.recordErrorCodes ?? metric?.recordErrorCodes) === true,
    // Dapr 1.18 still has it on unless it is switched off (reference §4.2).
    increasedCardinality: http?.increasedCardinality !== false,
    excludeVerbs: http?.excludeVerbs === true,
    paths: (http?.pathMatching ?? []).map(pathTemplate).sort(compareTemplates),
    latencyBuckets: buckets.length > 0 ? buckets : LATENCY_BUCKETS,
    rules: firstFilled(metrics?.rules, metric?.rules),
  };
}

const firstFilled = <T>(...lists: (readonly T[] | null | undefined)[]): readonly T[] =>
  lists.find((list) => list && list.length > 0) ?? [];

/** @returns whether errors are to be counted by their codes */
export const recordsErrorCodes = (spec: WithMetrics): boolean => metricsEnabled(spec) && metricsSettings(spec).recordErrorCodes;

/** @returns whether the series are wanted */
export const metricsEnabled = ({ metrics, metric }: WithMetrics): boolean => (metrics?.enabled ?? metric?.enabled) !== false;

/** @returns whether Envoy has to count answers where calls arrive, too */
export const countsPaths = (spec: WithMetrics): boolean => {
  const { enabled, paths } = metricsSettings(spec);
  return enabled && paths.length > 0;
};
