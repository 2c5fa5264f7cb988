import { ALL_OTHERS } from '../../model/metrics/virtual-cluster.js';
import { LISTENERS, LOCAL_APP_CLUSTER, ROUTES } from '../../model/names.js';
import { isInbound, withBound } from './envoy-series.js';
import { classOf, type EnvoySample, statusClass, statusCode, timePart } from './envoy-stats.js';
import { countedOn } from './path-series.js';
import { Remainder } from './remainder.js';
import type { Series, SeriesSet } from './series.js';

/**
 * Dapr's series of what the sidecar asks of its app (reference §8), as far as Envoy asks it: calls by name. They come from counters that Envoy
 * keeps anyway, which have classes of statuses: counting each status of a cluster would cost every call a tenth of Envoy's time. Where paths
 * are counted (metrics.http.pathMatching) Envoy does that, and what it has counted so has its status.
 */

const counter = (name: string): Series => ({ name: `dapr_${name}`, help: '', type: 'counter' });
const histogram = (name: string): Series => ({ name: `dapr_${name}`, help: '', type: 'histogram' });
const HTTP = {
  completed: counter('http_client_completed_count'),
  latency: histogram('http_client_roundtrip_latency'),
  sent: histogram('http_client_sent_bytes'),
  received: histogram('http_client_received_bytes'),
};
const GRPC = {
  completed: counter('grpc_io_client_completed_rpcs'),
  latency: histogram('grpc_io_client_roundtrip_latency'),
  sent: histogram('grpc_io_client_sent_bytes_per_rpc'),
  received: histogram('grpc_io_client_received_bytes_per_rpc'),
};

/** As Dapr names the spans of such calls. */
const CALL = 'CallLocal';
type Labels = Readonly<Record<string, string>>;
interface Kind {
  readonly series: typeof HTTP;
  readonly labels: Labels;
  /** Envoy sees the app's answers, and not what a gRPC app says at their end; and it measures time whatever the status. */
  readonly noStatus: Labels;
  readonly received: Labels;
}
const OF_HTTP: Kind = { series: HTTP, labels: { method: '', path: CALL }, noStatus: { status: '' }, received: {} };
const OF_GRPC: Kind = {
  series: GRPC,
  labels: { grpc_client_method: CALL },
  noStatus: { grpc_client_status: '' },
  received: { grpc_client_method: CALL },
};

export interface AppCalls {
  readonly grpc: boolean;
  /** How many requests on the inbound listener the filter service has answered, by class of status. */
  readonly answeredByService: () => Readonly<Record<string, number>>;
}

/** @returns what adds the series of one app's calls; it remembers the readings before */
export function createAppSeries(app: AppCalls): (set: SeriesSet, stats: readonly EnvoySample[]) => void {
  const remainders = new Map<string, Remainder>();
  const kind = app.grpc ? OF_GRPC : OF_HTTP;
  const { series, labels, noStatus } = kind;
  return (set, stats) => {
    const own = ownCounters(stats);
    const requests = own.upstream_rq_total;
    if (requests === undefined) return;
    if (app.grpc) set.add(series.completed, { ...labels, ...noStatus }, requests);
    else addStatuses(set, { kind, remainders, counts: statusesOf(stats, app.answeredByService()) });
    for (const sample of timesOf(stats)) {
      const part = timePart(sample);
      if (part) set.add(series.latency, withBound({ ...labels, ...noStatus }, sample), sample.value, part);
    }
    addTotal(set, { series: series.sent, labels, count: requests, sum: own.upstream_cx_tx_bytes_total });
    addTotal(set, { series: series.received, labels: kind.received, count: requests, sum: own.upstream_cx_rx_bytes_total });
  };
}

/** `part` is Envoy's count, as `whole` is; `byService` the filter service's. */
type Counts = Map<string, { whole: number; part: number; byService: number }>;

interface Statuses {
  readonly kind: Kind;
  readonly remainders: Map<string, Remainder>;
  readonly counts: Counts;
}

function addStatuses(set: SeriesSet, { kind, remainders, counts }: Statuses): void {
  for (const [status, { whole, part, byService }] of counts) {
    const remainder = remainders.get(status) ?? new Remainder();
    remainders.set(status, remainder);
    const value = remainder.read(whole, part, byService);
    if (value > 0) set.add(kind.series.completed, { ...kind.labels, status }, value);
  }
}

/**
 * @param byService what the filter service answered, by class of status
 * @returns by status: what Envoy counted of the app's answers, and how many of them are counted by their paths. By class: what arrived,
 * and what of it the app did not answer, or is counted by status
 */
function statusesOf(stats: readonly EnvoySample[], byService: Readonly<Record<string, number>>): Counts {
  const counts: Counts = new Map();
  const of = (status: string) => {
    const found = counts.get(status) ?? { whole: 0, part: 0, byService: 0 };
    counts.set(status, found);
    return found;
  };
  for (const [status, count] of Object.entries(byService)) of(status).byService += count;
  for (const sample of stats) {
    if (arrived(sample)) {
      const status = statusClass(sample);
      if (status) of(status).whole += sample.value;
      if (sample.name === 'rbac_denied') of('4xx').part += sample.value;
      continue;
    }
    const status = statusCode(sample);
    if (!status) continue;
    if (sample.labels.envoy_cluster_name === LOCAL_APP_CLUSTER) {
      of(status).whole += sample.value;
      of(classOf(status)).part += sample.value;
    } else if (countedOn(ROUTES.inbound, sample)) of(status).part += sample.value;
  }
  return counts;
}

/** On the listener for other sidecars, or on that for the app's calls of itself. */
const arrived = (sample: EnvoySample) =>
  isInbound(sample) || (sample.kind === 'http' && sample.labels.envoy_http_conn_manager_prefix === LISTENERS.self);

/** Where paths are counted, of all other calls; else of everything that arrives. */
function timesOf(stats: readonly EnvoySample[]): readonly EnvoySample[] {
  const others = stats.filter(isOther);
  return others.length > 0 ? others : stats.filter(isInbound);
}

interface Total {
  readonly series: Series;
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number | undefined;
}

/** A distribution of which only the sum is known. */
function addTotal(set: SeriesSet, { series, labels, count, sum }: Total): void {
  set.add(series, { ...labels, le: '+Inf' }, count, '_bucket');
  set.add(series, labels, sum ?? 0, '_sum');
  set.add(series, labels, count, '_count');
}

const isOther = ({ labels }: EnvoySample) =>
  labels.envoy_virtual_host === ROUTES.inbound && labels.envoy_virtual_cluster === ALL_OTHERS;

function ownCounters(stats: readonly EnvoySample[]): Readonly<Record<string, number>> {
  const own = stats.filter(({ labels }) => labels.envoy_cluster_name === LOCAL_APP_CLUSTER);
  return Object.fromEntries(own.map(({ name, value }) => [name, value]));
}
