import { ALL_OTHERS, type CountedRequests, readVirtualClusterName } from '../../model/metrics/virtual-cluster.js';
import { ROUTES } from '../../model/names.js';
import { withBound } from './envoy-series.js';
import { type EnvoySample, statusCode, timePart } from './envoy-stats.js';
import type { Series, SeriesSet } from './series.js';

/** `metrics.http.pathMatching` for calls by name: what Envoy's virtual clusters count (xds/translate/virtual-clusters.ts), callers and callee alike. */

const of = (name: string, type: Series['type'] = 'counter'): Series => ({ name: `dapr_http_${name}`, help: '', type });
const CALLER = {
  counts: [of('server_request_count'), of('server_response_count')],
  latency: of('server_latency', 'histogram'),
};
const CALLEE = { counts: [of('client_completed_count')], latency: of('client_roundtrip_latency', 'histogram') };
const SERIES: Readonly<Record<string, typeof CALLER>> = { [ROUTES.outbound]: CALLER, [ROUTES.inbound]: CALLEE };

/** @returns what `sample` counts on the table of routes `table`; undefined: nothing by path there */
export function countedOn(table: string, { kind, labels }: EnvoySample): CountedRequests | undefined {
  const name = labels.envoy_virtual_cluster;
  if (kind !== 'vhost' || labels.envoy_virtual_host !== table || !name || name === ALL_OTHERS) return undefined;
  return readVirtualClusterName(name);
}

export function addPaths(set: SeriesSet, stats: readonly EnvoySample[]): void {
  for (const sample of stats) {
    const table = sample.labels.envoy_virtual_host ?? '';
    const counted = countedOn(table, sample);
    const series = SERIES[table];
    if (!counted || !series) continue;
    const labels = { method: counted.method, path: counted.path };
    const status = statusCode(sample);
    if (status) for (const count of series.counts) set.add(count, { ...labels, status }, sample.value);
    const part = timePart(sample);
    if (part) set.add(series.latency, withBound({ ...labels, status: '' }, sample), sample.value, part);
  }
}
