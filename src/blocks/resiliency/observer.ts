import type { Clock } from '../../lib/clock.js';
import type { BreakerState } from './breaker.js';

export type PolicyKind = 'retry' | 'timeout' | 'circuitbreaker';

/** Whose calls a policy is about; labels of metrics. */
export interface PolicyTarget {
  /** Name of the component, or an actor type. */
  readonly component: string;
  /** As the names of default policies have it: `Statestore`; `actor` for an actor type. */
  readonly type: string;
  readonly direction: 'inbound' | 'outbound';
}

/** Told what policies do, for metrics; `source` names the Resiliency documents. */
export interface ResiliencyObserver {
  /** A try ran under a policy; `state` is the breaker's. */
  ran(target: PolicyTarget, source: string, kind: PolicyKind, state?: BreakerState): void;
  /** A policy did something: tried again, ended a try, opened. */
  activated(target: PolicyTarget, source: string, kind: PolicyKind): void;
  breaker(target: PolicyTarget, source: string, state: BreakerState): void;
}

export interface PolicyDeps {
  readonly target: PolicyTarget;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer?: ResiliencyObserver | undefined;
}
