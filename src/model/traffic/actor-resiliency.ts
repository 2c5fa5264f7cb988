import { ActorResiliency, BreakerScope } from '../../gen/weft/config/v1/config.js';
import { definedIn, namedPolicies } from './component-resiliency.js';
import type { Policy } from './document.js';
import { defaultPolicies, mergedSpec, type PolicyNames } from './resiliency.js';

/** What of Dapr's Resiliency an actor's owner carries out (reference §4.4): its breaker and the time of a turn. Retries are the caller's. */

const SCOPES = {
  type: BreakerScope.BREAKER_SCOPE_TYPE,
  id: BreakerScope.BREAKER_SCOPE_ID,
  both: BreakerScope.BREAKER_SCOPE_BOTH,
} as const;
/** As in Dapr. */
const CACHE_SIZE = 5000;

/** @returns what is in force for turns of `type`; undefined: nothing. @param documents of two with one entry the later one counts */
export function actorResiliency(documents: readonly Policy[], type: string): ActorResiliency | undefined {
  const { policies, targets } = mergedSpec(documents);
  const target = targets.actors?.[type];
  // A target that is named takes only what it names. The breaker of a default is the whole type's, as in Dapr.
  const names = target ?? defaultPolicies(policies, ['Actor', '']);
  if (!names) return undefined;
  const { timeout, circuitBreaker }: PolicyNames = names;
  const found = namedPolicies(policies, { timeout, circuitBreaker }, (used) => definedIn(documents, used));
  if (!found) return undefined;
  return ActorResiliency.fromPartial({
    timeoutMs: found.timeoutMs,
    circuitBreaker: found.circuitBreaker,
    breakerScope: SCOPES[target?.circuitBreakerScope ?? 'type'],
    breakerCacheSize: target?.circuitBreakerCacheSize || CACHE_SIZE,
    source: found.source,
  });
}
