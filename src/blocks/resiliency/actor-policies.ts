import { messageOf } from '../../errors.js';
import { ActorResiliency, BreakerScope } from '../../gen/weft/config/v1/config.js';
import type { Clock } from '../../lib/clock.js';
import { compileTrip } from '../../model/traffic/trip-expression.js';
import type { ConfigChange } from '../config-source.js';
import type { CircuitBreaker } from './breaker.js';
import type { ResiliencyObserver } from './observer.js';
import { createBreaker, limitTime, type TimeLimit } from './parts.js';

export interface ActorPoliciesDeps {
  readonly namespace: string;
  readonly clock: Clock;
  readonly observer?: ResiliencyObserver | undefined;
}

/** How a call ended; undefined: nothing is known of the actor, no turn was tried. */
export type TurnOutcome = boolean | undefined;

/** What is in force for the turns of one actor type at this host (reference §4.4): the breaker before the actor's lock, the timeout after it. */
export interface ActorPolicy {
  /** Asks the breaker for leave; undefined: there is none. @returns what to tell the outcome to @throws BreakerOpenError */
  readonly enter?: ((id: string) => (outcome: TurnOutcome) => void) | undefined;
  /** Undefined: a turn may take as long as it likes. */
  readonly limit?: TimeLimit | undefined;
}

/** By actor type. A policy that did not change stays the same one, with what its breakers have counted. */
export class ActorPolicies {
  readonly #deps: ActorPoliciesDeps;
  readonly #made = new Map<string, { readonly content: string; readonly policy: ActorPolicy }>();
  /** What every call looks into. */
  readonly #byType = new Map<string, ActorPolicy>();

  constructor(deps: ActorPoliciesDeps) {
    this.#deps = deps;
  }

  of(type: string): ActorPolicy | undefined {
    return this.#byType.get(type);
  }

  /** @throws Error that names actor type and expression; then nothing has changed */
  apply({ updated, removed }: ConfigChange<ActorResiliency>): void {
    for (const [name, resource] of updated) check(name, resource);
    for (const name of removed) {
      this.#made.delete(name);
      this.#byType.delete(this.#typeOf(name));
    }
    for (const [name, resource] of updated) this.#put(name, resource);
  }

  #put(name: string, resource: ActorResiliency): void {
    const content = Buffer.from(ActorResiliency.encode(resource).finish()).toString('base64');
    if (this.#made.get(name)?.content === content) return;
    const type = this.#typeOf(name);
    const policy = createActorPolicy(type, resource, this.#deps);
    this.#made.set(name, { content, policy });
    this.#byType.set(type, policy);
  }

  #typeOf(name: string): string {
    return name.slice(this.#deps.namespace.length + 1);
  }
}

function createActorPolicy(type: string, resource: ActorResiliency, { clock, observer }: ActorPoliciesDeps): ActorPolicy {
  const { timeoutMs, circuitBreaker, breakerScope, breakerCacheSize, source } = resource;
  const deps = { target: { component: type, type: 'actor', direction: 'outbound' }, clock, observer } as const;
  const limit = timeoutMs > 0 ? limitTime(timeoutMs, source, deps) : undefined;
  if (!circuitBreaker) return { limit };
  const make = () => createBreaker(circuitBreaker, source, deps);
  const whole = breakerScope === BreakerScope.BREAKER_SCOPE_ID ? undefined : make();
  observer?.breaker(deps.target, source, 'closed');
  const single = breakerScope === BreakerScope.BREAKER_SCOPE_TYPE ? undefined : keepLast(breakerCacheSize, make);
  const enter = (id: string) => {
    const breakers = [whole, single?.(id)].filter((breaker) => breaker !== undefined);
    for (const { state } of breakers) observer?.ran(deps.target, source, 'circuitbreaker', state);
    return enterAll(breakers);
  };
  return { enter, limit };
}

/** All of them or none: the one that lets a call through does not count what another one holds back. */
function enterAll(breakers: readonly CircuitBreaker[]): (outcome: TurnOutcome) => void {
  const entered: ((outcome: TurnOutcome) => void)[] = [];
  const leave = (outcome: TurnOutcome) => {
    for (const tell of entered) tell(outcome);
  };
  try {
    for (const breaker of breakers) entered.push(breaker.enter());
  } catch (error) {
    leave(undefined);
    throw error;
  }
  return leave;
}

/** @returns the breaker of an actor; of more than `size` actors the one that was asked for longest ago is forgotten */
function keepLast(size: number, make: () => CircuitBreaker): (id: string) => CircuitBreaker {
  const kept = new Map<string, CircuitBreaker>();
  return (id) => {
    const breaker = kept.get(id) ?? make();
    kept.delete(id);
    kept.set(id, breaker);
    const { value: oldest } = kept.keys().next();
    if (kept.size > size && oldest !== undefined) kept.delete(oldest);
    return breaker;
  };
}

function check(name: string, { circuitBreaker }: ActorResiliency): void {
  if (!circuitBreaker) return;
  try {
    compileTrip(circuitBreaker.trip);
  } catch (error) {
    throw new Error(`resiliency of actor type ${name}: circuit breaker ${circuitBreaker.name}: ${messageOf(error)}`);
  }
}
