import type { EnvoySample } from './envoy-stats.js';

/**
 * `metrics.latencyDistributionBuckets` for what Envoy measures. Its own buckets stand in its bootstrap and cannot change while it runs; asked
 * for details, it also tells the fine ones that it keeps, two digits wide, and those are put together here.
 */

/** What Envoy answers to `/stats?format=json&histogram_buckets=detailed`. */
interface Details {
  readonly stats?: readonly {
    readonly histograms?: {
      readonly details?: readonly { readonly name: string; readonly totals: readonly Bin[] }[];
    };
  }[];
}

interface Bin {
  readonly lower_bound: number;
  readonly count: number;
}

const BUCKET = /_time_bucket$/;

/** @returns `stats` with the buckets of times that `bounds` say, from `details`. @param bounds upper ones, ascending, milliseconds */
export function rebucket(stats: readonly EnvoySample[], details: string, bounds: readonly number[]): readonly EnvoySample[] {
  const histograms = ((JSON.parse(details) as Details).stats ?? []).flatMap((it) => it.histograms?.details ?? []);
  const made = histograms.flatMap(({ name, totals }) => {
    const base = seriesOf(name);
    return base ? bucketsOf(base, totals, bounds) : [];
  });
  return [...stats.filter(({ name }) => !BUCKET.test(name)), ...made];
}

type Base = Omit<EnvoySample, 'value'>;

function bucketsOf(base: Base, bins: readonly Bin[], bounds: readonly number[]): readonly EnvoySample[] {
  return [...bounds, Number.POSITIVE_INFINITY].map((bound) => ({
    ...base,
    labels: { ...base.labels, le: bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound) },
    // Envoy measures whole milliseconds: the lower end of a bin is the time itself, as long as bins are no wider than that.
    value: bins.reduce((sum, bin) => (bin.lower_bound <= bound ? sum + bin.count : sum), 0),
  }));
}

/** As its other formats name it. */
function seriesOf(name: string): Base | undefined {
  const [, cluster] = /^cluster\.(.+)(?<!\.(?:external|internal|canary))\.upstream_rq_time$/.exec(name) ?? [];
  if (cluster) return { kind: 'cluster', name: 'upstream_rq_time_bucket', labels: { envoy_cluster_name: cluster } };
  const [, listener] = /^http\.(.+)\.downstream_rq_time$/.exec(name) ?? [];
  if (listener) return { kind: 'http', name: 'downstream_rq_time_bucket', labels: { envoy_http_conn_manager_prefix: listener } };
  const [, host, virtual] = /^vhost\.(.+)\.vcluster\.(.+)\.upstream_rq_time$/.exec(name) ?? [];
  if (!host || !virtual) return undefined;
  return {
    kind: 'vhost',
    name: 'vcluster_upstream_rq_time_bucket',
    labels: { envoy_virtual_host: host, envoy_virtual_cluster: virtual },
  };
}
