import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { BreakerState } from '../resiliency/breaker.js';
import type { PolicyKind, PolicyTarget, ResiliencyObserver } from '../resiliency/observer.js';

const BREAKER = { closed: 0, 'half-open': 1, open: 2 } as const;

/** @returns what counts the work of resiliency policies */
export function countResiliency({ resiliency }: SidecarMetrics, namespace: string): ResiliencyObserver {
  const labelsOf = ({ component, type, direction }: PolicyTarget, source: string, kind: PolicyKind) =>
    [source, kind, namespace, direction, `${type}_${component}`] as const;
  /** By target: a breaker has one state at a time, and its series bears it as a label. */
  const breakers = new Map<string, { readonly labels: readonly string[]; readonly state: BreakerState }>();
  resiliency.breaker.from(() => {
    for (const { labels, state } of breakers.values()) resiliency.breaker.of(...labels, state).value = BREAKER[state];
  });
  return {
    ran(target, source, kind, state) {
      resiliency.count.of(...labelsOf(target, source, kind), state ?? '').value += 1;
    },
    activated(target, source, kind) {
      resiliency.activations.of(...labelsOf(target, source, kind), '').value += 1;
    },
    breaker(target, source, state) {
      const labels = labelsOf(target, source, 'circuitbreaker');
      breakers.set(labels.join(' '), { labels, state });
    },
  };
}
