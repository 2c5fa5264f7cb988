import { readDecisionName } from '../../model/access/decision-name.js';
import { type EnvoySample, statusClass, statusCode, type Target, targetOf, timePart } from './envoy-stats.js';
import type { Series, SeriesSet } from './series.js';

/** Dapr's series of what Envoy counts (reference §8): invocation, and access rules. Envoy names its own at a scrape and they are renamed. */

/** What is asked of Envoy's `/stats/prometheus`: calls by name, what arrives for our app and goes to it, and access decisions. */
export const ENVOY_FILTER = '^(cluster\\.((app|actor|external)\\||local\\|app\\.)|http\\.(inbound|self)\\.|vhost\\.)';

const counter = (name: string, help: string): Series => ({ name, help, type: 'counter' });
const PREFIX = 'dapr_runtime_service_invocation_';
const SENT = counter(`${PREFIX}req_sent_total`, 'Calls of other apps');
const ANSWERED = counter(`${PREFIX}res_recv_total`, 'Answers of other apps');
const LATENCY: Series = { name: `${PREFIX}res_recv_latency_ms`, help: 'From call to answer, milliseconds', type: 'histogram' };
const RECEIVED = counter(`${PREFIX}req_recv_total`, 'Calls that other apps made');
const REPLIED = counter(`${PREFIX}res_sent_total`, 'Answers to other apps, by class of status');
const RETRIES = counter('weft_upstream_retries_total', 'Calls that Envoy tried again');
const TIMEOUTS = counter('weft_upstream_timeouts_total', 'Calls that took too long');
const OVERFLOWS = counter('weft_upstream_overflows_total', 'Calls refused by a circuit breaker');
const HEALTHY: Series = { name: 'weft_upstream_healthy_instances', help: 'Instances that take calls', type: 'gauge' };
const acl = (scope: string, action: string, help: string) =>
  counter(`dapr_runtime_acl_${scope}_policy_action_${action}_total`, help);
const DECISIONS = {
  app: {
    allowed: acl('app', 'allowed', "Calls that the caller's access policy allowed"),
    denied: acl('app', 'blocked', "Calls that the caller's access policy denied"),
  },
  global: {
    allowed: acl('global', 'allowed', 'Calls that the default of access control allowed'),
    denied: acl('global', 'blocked', 'Calls that the default of access control denied'),
  },
};

/** Envoy's cluster series, without `envoy_cluster_`. */
const OF_CLUSTER: Readonly<Record<string, Series>> = {
  upstream_rq_total: SENT,
  upstream_rq_retry: RETRIES,
  upstream_rq_timeout: TIMEOUTS,
  upstream_rq_pending_overflow: OVERFLOWS,
  membership_healthy: HEALTHY,
};

/** Adds what `stats` says about calls between apps. */
export function addInvocations(set: SeriesSet, stats: readonly EnvoySample[]): void {
  for (const sample of stats) {
    const target = sample.kind === 'cluster' ? targetOf(sample) : undefined;
    if (target) addCall(set, sample, target);
    else if (isInbound(sample)) addReceived(set, sample);
  }
}

export const isInbound = ({ kind, labels }: EnvoySample): boolean =>
  kind === 'http' && labels.envoy_http_conn_manager_prefix === 'inbound';

const TYPES: Readonly<Record<Target['kind'], string>> = { app: 'unary', actor: 'actor', external: 'external' };

function addCall(set: SeriesSet, sample: EnvoySample, { kind, namespace, name }: Target): void {
  const own = { dst_app_id: name, dst_namespace: namespace, type: TYPES[kind] };
  // Dapr calls the app that answers the source of the answer.
  const answer = { ...own, src_app_id: name };
  const status = statusCode(sample);
  if (status) set.add(ANSWERED, { ...answer, status }, sample.value);
  const part = timePart(sample);
  if (part) set.add(LATENCY, withBound(answer, sample), sample.value, part);
  const series = OF_CLUSTER[sample.name];
  if (series) set.add(series, own, sample.value);
}

function addReceived(set: SeriesSet, sample: EnvoySample): void {
  const status = statusClass(sample);
  if (status) set.add(REPLIED, { type: 'unary', status }, sample.value);
  if (sample.name === 'downstream_rq_total') set.add(RECEIVED, { type: 'unary' }, sample.value);
  addDecision(set, sample);
}

/** As in Dapr, `app_id` is the caller's here; Envoy does not tell who it was that no policy names. */
function addDecision(set: SeriesSet, { name, labels, value }: EnvoySample): void {
  const [, action] = /^rbac_policy_(allowed|denied)$/.exec(name) ?? [];
  const decision = readDecisionName(labels.envoy_rbac_policy_name ?? '');
  if (!action || !decision) return;
  const { trustDomain = '', namespace = '', appId = '' } = decision.caller ?? {};
  set.add(
    DECISIONS[decision.scope][action as 'allowed' | 'denied'],
    { app_id: appId, trust_domain: trustDomain, namespace },
    value,
  );
}

export const withBound = (labels: Readonly<Record<string, string>>, { labels: { le } }: EnvoySample) =>
  le === undefined ? labels : { ...labels, le };
