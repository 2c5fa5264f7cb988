import { type RetryPolicy, RetryPolicy_ResetHeaderFormat } from '../../../gen/envoy/config/route/v3/route_components.js';
import { HEADERS } from '../../../model/names.js';
import type { TargetResiliency } from '../../../model/traffic/resiliency.js';
import { actorRetry } from '../retry.js';
import type { ActorCalls } from '../route-target.js';
import { duration } from '../values.js';
import { hasNoLength, isBodiless, NO_BODY_KEPT } from './conditions.js';
import { backOff, failures } from './retry-policy.js';

/** A host that is not the owner answers with the seconds until the sender should ask again: not as long as after a failure. */
const afterMoved = {
  resetHeaders: [{ name: HEADERS.actorMoved, format: RetryPolicy_ResetHeaderFormat.SECONDS }],
  maxInterval: duration(10_000),
};

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
    rateLimitedRetryBackOff: afterMoved,
  };
  return [
    { headers: [...hasNoLength, isBodiless], retryPolicy, bufferBytes: NO_BODY_KEPT },
    // A streamed body that did not reach the owner may still look for it.
    { headers: hasNoLength, retryPolicy: search },
    { headers: [], retryPolicy },
  ];
}
