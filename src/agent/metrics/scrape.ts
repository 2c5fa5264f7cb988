import type { CallPolicies } from '../../gen/weft/config/v1/config.js';
import { LATENCY_BUCKETS } from '../../model/metrics/spec.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { EnvoyAdmin } from '../envoy/admin.js';
import { type AppCalls, createAppSeries } from './app-series.js';
import { addInvocations, ENVOY_FILTER } from './envoy-series.js';
import { type EnvoySample, readStats } from './envoy-stats.js';
import { addDenials } from './error-series.js';
import { addPaths } from './path-series.js';
import { rebucket } from './rebucket.js';
import { addResiliency } from './resiliency-series.js';
import { SeriesSet } from './series.js';

export interface ScrapeDeps {
  readonly appId: string;
  readonly namespace: string;
  readonly metrics: SidecarMetrics;
  readonly admin: Pick<EnvoyAdmin, 'call'>;
  readonly app: AppCalls;
  /** What Envoy carries out for the app's calls now. */
  readonly callPolicies: () => readonly CallPolicies[];
}

/** @returns what gives Prometheus' text of everything that is counted: by the filter service, and by Envoy */
export function createScrape(deps: ScrapeDeps): () => Promise<string> {
  const { metrics, namespace } = deps;
  const addAppCalls = createAppSeries(deps.app);
  return async () => {
    const stats = await statsOf(deps);
    const set = new SeriesSet();
    addInvocations(set, stats);
    addAppCalls(set, stats);
    addPaths(set, stats);
    addDenials(set, stats, metrics);
    addResiliency(set, stats, { policies: deps.callPolicies(), namespace });
    const families = set.families();
    const isShared = (name: string) => metrics.registry.getSingleMetric(name) !== undefined;
    metrics.showBeside(new Map(families.map(({ series, samples }) => [series.name, samples])));
    const shared = await metrics.registry.metrics();
    return `${shared}\n${families
      .filter(({ series }) => !isShared(series.name))
      .map((family) => textOf(family, deps))
      .join('\n')}`;
  };
}

/** While Envoy starts again its series are missing, ours are not. */
async function statsOf({ admin, metrics }: ScrapeDeps): Promise<readonly EnvoySample[]> {
  const query = `usedonly&filter=${encodeURIComponent(ENVOY_FILTER)}`;
  const ask = (path: string) => admin.call('GET', path).then(({ body }) => body);
  const { latencyBuckets } = metrics.settings();
  try {
    const stats = readStats(await ask(`/stats/prometheus?${query}`));
    if (String(latencyBuckets) === String(LATENCY_BUCKETS)) return stats;
    return rebucket(stats, await ask(`/stats?format=json&histogram_buckets=detailed&${query}`), latencyBuckets);
  } catch {
    return [];
  }
}

type Family = ReturnType<SeriesSet['families']>[number];

function textOf({ series, samples }: Family, { appId, metrics }: Pick<ScrapeDeps, 'appId' | 'metrics'>): string {
  const lines = metrics.relabeling.shown(series.name, series.type, samples).map(({ metricName, labels, value }) => {
    const pairs = Object.entries({ app_id: appId, ...labels }).map(([name, content]) => `${name}="${escaped(String(content))}"`);
    return `${metricName}{${pairs.join(',')}} ${value}`;
  });
  return [`# HELP ${series.name} ${series.help}`, `# TYPE ${series.name} ${series.type}`, ...lines, ''].join('\n');
}

const escaped = (text: string) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
