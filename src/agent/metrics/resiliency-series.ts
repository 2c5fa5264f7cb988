import type { CallPolicies } from '../../gen/weft/config/v1/config.js';
import { type EnvoySample, type Target, targetOf } from './envoy-stats.js';
import type { Series, SeriesSet } from './series.js';

/** Dapr's series of resiliency (reference §8) for calls of apps and actors, whose policies Envoy carries out: from its counters of a cluster. */

const COUNT: Series = { name: 'dapr_resiliency_count', help: '', type: 'counter' };
const ACTIVATED: Series = { name: 'dapr_resiliency_activations_total', help: '', type: 'counter' };
const BREAKER: Series = { name: 'dapr_resiliency_cb_state', help: '', type: 'gauge' };

type Counters = Readonly<Record<string, number>>;

/** @param policies those in force for the app's calls. @param namespace the app's own */
export function addResiliency(
  set: SeriesSet,
  stats: readonly EnvoySample[],
  { policies, namespace }: { readonly policies: readonly CallPolicies[]; readonly namespace: string },
): void {
  if (policies.length === 0) return;
  for (const [target, counters] of byTarget(stats)) {
    const inForce = policiesOf(policies, target);
    if (!inForce || (counters.upstream_rq_total ?? 0) + (counters.upstream_cx_none_healthy ?? 0) === 0) continue;
    const labels = (policy: string, status: string) => ({
      name: inForce.source,
      policy,
      namespace,
      flow_direction: 'outbound',
      target: `${target.kind}_${target.name}`,
      status,
    });
    const of = (name: string) => counters[name] ?? 0;
    const add = (policy: string, activations: number, status = '') => {
      set.add(COUNT, labels(policy, status), of('upstream_rq_total'));
      set.add(ACTIVATED, labels(policy, ''), activations);
    };
    if (inForce.retry) add('retry', of('upstream_rq_retry'));
    if (inForce.timeout) add('timeout', of('upstream_rq_per_try_timeout') + of('upstream_rq_timeout'));
    if (inForce.circuitBreaker) {
      add('circuitbreaker', of('outlier_detection_ejections_enforced_total'), 'closed');
      set.add(COUNT, labels('circuitbreaker', 'open'), of('upstream_cx_none_healthy'));
      // Each instance has its own; it is open for the target when none is left.
      const open = of('outlier_detection_ejections_active') > 0 && of('membership_healthy') === 0;
      set.add(BREAKER, labels('circuitbreaker', open ? 'open' : 'closed'), open ? 2 : 0);
    }
  }
}

function byTarget(stats: readonly EnvoySample[]): readonly (readonly [Target, Counters])[] {
  const found = new Map<string, readonly [Target, Record<string, number>]>();
  for (const sample of stats) {
    const target = sample.kind === 'cluster' ? targetOf(sample) : undefined;
    if (!target || target.kind === 'external') continue;
    const key = sample.labels.envoy_cluster_name ?? '';
    const [, counters] = found.get(key) ?? [target, {} as Record<string, number>];
    counters[sample.name] = sample.value;
    found.set(key, [target, counters]);
  }
  return [...found.values()];
}

/** As the rules have it: a target by its full name, by its name, or what is for every other one. */
function policiesOf(policies: readonly CallPolicies[], { kind, namespace, name }: Target): CallPolicies | undefined {
  const [app = ''] = name.split('@', 1);
  const of = (target: string) => policies.find((entry) => entry.actor === (kind === 'actor') && entry.target === target);
  return of(`${app}.${namespace}`) ?? of(app) ?? of('');
}
