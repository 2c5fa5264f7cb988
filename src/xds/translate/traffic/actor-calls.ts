import type { RetryPolicy } from '../../../gen/envoy/config/route/v3/route_components.js';
import type { TargetResiliency } from '../../../model/traffic/resiliency.js';
import { actorRetry } from '../retry.js';
import type { ActorCalls } from '../route-target.js';
import { duration } from '../values.js';
import { hasNoLength, NO_BODY_KEPT } from './conditions.js';
import { backOff, failures } from './retry-policy.js';

/**
 * @returns how calls of an actor type are tried, with what a Resiliency says on top of the search for the actor's owner. The tries for
 * both are counted together, since Envoy has one count.
 */
export function actorCalls({ retry, timeoutMs }: TargetResiliency): readonly ActorCalls[] {
  const perTryTimeout = timeoutMs > 0 ? duration(timeoutMs) : undefined;
  const search: RetryPolicy = { ...actorRetry, perTryTimeout };
  if (!retry || retry.retries === 0) return [{ headers: [], retryPolicy: search }];
  const retryPolicy: RetryPolicy = {
    ...search,
    retryOn: `${search.retryOn},reset`,
    numRetries: retry.retries,
    retriableHeaders: [...search.retriableHeaders, ...failures(retry)],
    retryBackOff: backOff(retry),
  };
  return [
    { headers: hasNoLength, retryPolicy, bufferBytes: NO_BODY_KEPT },
    { headers: [], retryPolicy },
  ];
}
