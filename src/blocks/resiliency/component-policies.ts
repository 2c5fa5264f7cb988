import { messageOf } from '../../errors.js';
import { type ComponentResiliency, ResiliencyPolicies } from '../../gen/weft/config/v1/config.js';
import type { Clock } from '../../lib/clock.js';
import { compileTrip } from '../../model/traffic/trip-expression.js';
import type { ConfigChange } from '../config-source.js';
import type { PolicyTarget, ResiliencyObserver } from './observer.js';
import { createPolicy, type Policy } from './policy.js';

export interface ComponentPoliciesDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer?: ResiliencyObserver | undefined;
}

export interface DirectionPolicies {
  readonly outbound?: Policy | undefined;
  readonly inbound?: Policy | undefined;
}

/** What a component is to its policies. */
export interface PolicySubject {
  readonly name: string;
  /** As the names of default policies have it: `Statestore`. */
  readonly type: string;
}

interface Made {
  readonly content: string;
  readonly policy: Policy;
}

/** The policies in force, by resource name of the component. A policy that did not change stays the same one, with what its breaker has counted. */
export class ComponentPolicies {
  readonly #deps: ComponentPoliciesDeps;
  readonly #resources = new Map<string, ComponentResiliency>();
  readonly #made = new Map<string, Made>();

  constructor(deps: ComponentPoliciesDeps) {
    this.#deps = deps;
  }

  /** How many components have policies. */
  get size(): number {
    return this.#resources.size;
  }

  /** @throws Error that names component and expression; then nothing has changed */
  apply({ updated, removed }: ConfigChange<ComponentResiliency>): void {
    for (const [key, resource] of updated) check(key, resource);
    for (const key of removed) this.#resources.delete(key);
    for (const [key, resource] of updated) this.#resources.set(key, resource);
  }

  /** @returns none in a direction: calls need no detour */
  of(key: string, subject: PolicySubject): DirectionPolicies {
    const resource = this.#resources.get(key);
    return {
      outbound: this.#policy(key, subject, 'outbound', resource?.outbound),
      inbound: this.#policy(key, subject, 'inbound', resource?.inbound),
    };
  }

  #policy(
    key: string,
    { name, type }: PolicySubject,
    direction: PolicyTarget['direction'],
    policies: ResiliencyPolicies | undefined,
  ): Policy | undefined {
    const id = `${direction} ${key}`;
    if (!policies) {
      this.#made.delete(id);
      return undefined;
    }
    const content = Buffer.from(ResiliencyPolicies.encode(policies).finish()).toString('base64');
    const known = this.#made.get(id);
    if (known?.content === content) return known.policy;
    const policy = createPolicy(policies, { ...this.#deps, target: { component: name, type, direction } });
    this.#made.set(id, { content, policy });
    return policy;
  }
}

function check(key: string, { outbound, inbound }: ComponentResiliency): void {
  for (const breaker of [outbound?.circuitBreaker, inbound?.circuitBreaker]) {
    if (!breaker) continue;
    try {
      compileTrip(breaker.trip);
    } catch (error) {
      throw new Error(`resiliency of component ${key}: circuit breaker ${breaker.name}: ${messageOf(error)}`);
    }
  }
}
