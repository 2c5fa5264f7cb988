/** Dapr's series of what Envoy counts (reference §8): invocation, and access rules. Envoy names its own at a scrape and they are renamed. */

/** What is asked of Envoy's `/stats/prometheus`: calls of apps by name, what arrives for ours, and access decisions. */
export const ENVOY_FILTER = '^(cluster\\.(app|actor)\\||http\\.inbound\\.)';

interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
}

const PREFIX = 'dapr_runtime_service_invocation_';
const SENT: Series = { name: `${PREFIX}req_sent_total`, help: 'Calls of other apps', type: 'counter' };
const ANSWERED: Series = { name: `${PREFIX}res_recv_total`, help: 'Answers of other apps, by class of status', type: 'counter' };
const LATENCY: Series = { name: `${PREFIX}res_recv_latency_ms`, help: 'From call to answer, milliseconds', type: 'histogram' };
const RECEIVED: Series = { name: `${PREFIX}req_recv_total`, help: 'Calls that other apps made', type: 'counter' };
const REPLIED: Series = { name: `${PREFIX}res_sent_total`, help: 'Answers to other apps, by class of status', type: 'counter' };
const RETRIES: Series = { name: 'weft_upstream_retries_total', help: 'Calls that Envoy tried again', type: 'counter' };
const TIMEOUTS: Series = { name: 'weft_upstream_timeouts_total', help: 'Calls that took too long', type: 'counter' };
const OVERFLOWS: Series = { name: 'weft_upstream_overflows_total', help: 'Calls refused by a circuit breaker', type: 'counter' };
const HEALTHY: Series = { name: 'weft_upstream_healthy_instances', help: 'Instances that take calls', type: 'gauge' };
const ALLOWED: Series = {
  name: 'dapr_runtime_acl_app_policy_action_allowed_total',
  help: 'Calls that access rules allowed',
  type: 'counter',
};
const BLOCKED: Series = {
  name: 'dapr_runtime_acl_app_policy_action_blocked_total',
  help: 'Calls that access rules denied',
  type: 'counter',
};

/** Envoy's cluster series, without `envoy_cluster_`. */
const OF_CLUSTER: Readonly<Record<string, Series>> = {
  upstream_rq_total: SENT,
  upstream_rq_retry: RETRIES,
  upstream_rq_timeout: TIMEOUTS,
  upstream_rq_pending_overflow: OVERFLOWS,
  membership_healthy: HEALTHY,
};
/** Envoy's series of the inbound listener, without `envoy_http_`. */
const OF_INBOUND: Readonly<Record<string, Series>> = {
  downstream_rq_total: RECEIVED,
  rbac_allowed: ALLOWED,
  rbac_denied: BLOCKED,
};
const ALL = [SENT, ANSWERED, LATENCY, RECEIVED, REPLIED, RETRIES, TIMEOUTS, OVERFLOWS, HEALTHY, ALLOWED, BLOCKED];

const LINE = /^envoy_(cluster|http)_([a-z0-9_]+?)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([\w.]+)="((?:[^"\\]|\\.)*)"/g;

/** @returns Dapr's text for `text`, what Envoy answered to `/stats/prometheus`, each series with the label `app_id` */
export function envoySeries(text: string, appId: string): string {
  const found = new Map<Series, string[]>();
  for (const line of text.split('\n')) {
    const sample = line.startsWith('envoy_') ? readLine(line) : undefined;
    const renamed = sample && rename(sample);
    if (!renamed) continue;
    const { series, suffix = '', labels } = renamed;
    const pairs = Object.entries({ app_id: appId, ...labels }).map(([name, value]) => `${name}="${value}"`);
    const lines = found.get(series) ?? [];
    lines.push(`${series.name}${suffix}{${pairs.join(',')}} ${sample.value}`);
    found.set(series, lines);
  }
  return ALL.filter((series) => found.has(series))
    .map((series) => [
      `# HELP ${series.name} ${series.help}`,
      `# TYPE ${series.name} ${series.type}`,
      ...(found.get(series) ?? []),
    ])
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

function readLine(line: string): (Sample & { readonly kind: string }) | undefined {
  const [, kind, name, labelText = '', value] = LINE.exec(line) ?? [];
  if (!kind || !name || value === undefined) return undefined;
  const labels: Record<string, string> = {};
  for (const [, label = '', content = ''] of labelText.matchAll(LABEL)) labels[label] = content;
  return { kind, name, labels, value };
}

interface Renamed {
  readonly series: Series;
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string>>;
}

const STATUS_CLASS = /^(?:up|down)stream_rq_([1-5]xx)$/;
const TIME = /^upstream_rq_time(_bucket|_sum|_count)$/;

function rename({ kind, name, labels }: Sample & { readonly kind: string }): Renamed | undefined {
  return kind === 'cluster' ? ofCluster(name, labels) : ofListener(name, labels);
}

function ofCluster(name: string, labels: Readonly<Record<string, string>>): Renamed | undefined {
  const [kind, namespace = '', target = ''] = (labels.envoy_cluster_name ?? '').split('|');
  const own = { dst_app_id: target, dst_namespace: namespace, type: kind === 'actor' ? 'actor' : 'unary' };
  const [, status] = STATUS_CLASS.exec(name) ?? [];
  if (status) return { series: ANSWERED, labels: { ...own, status } };
  const [, suffix] = TIME.exec(name) ?? [];
  if (suffix) return { series: LATENCY, suffix, labels: labels.le === undefined ? own : { ...own, le: labels.le } };
  const series = OF_CLUSTER[name];
  return series && { series, labels: own };
}

function ofListener(name: string, labels: Readonly<Record<string, string>>): Renamed | undefined {
  if (labels.envoy_http_conn_manager_prefix !== 'inbound') return undefined;
  const [, status] = STATUS_CLASS.exec(name) ?? [];
  if (status) return { series: REPLIED, labels: { type: 'unary', status } };
  const series = OF_INBOUND[name];
  return series && { series, labels: series === RECEIVED ? { type: 'unary' } : {} };
}
