import {
  HeaderMatcher,
  type RetryPolicy,
  RetryPolicy_ResetHeaderFormat,
} from '../../../gen/envoy/config/route/v3/route_components.js';
import { HEADERS } from '../../../model/names.js';
import type { RetryTimes } from '../../../model/traffic/built-in-retries.js';
import type { TargetResiliency } from '../../../model/traffic/resiliency.js';
import { actorRetry, backOff } from '../retry.js';
import type { ActorCalls } from '../route-target.js';
import { duration } from '../values.js';
import { hasNoLength, isBodiless, NO_BODY_KEPT } from './conditions.js';
import { failures } from './retry-policy.js';

/** A host that is not the owner answers with the seconds until the sender should ask again: not as long as after a failure. */
const afterMoved = {
  resetHeaders: [{ name: HEADERS.actorMoved, format: RetryPolicy_ResetHeaderFormat.SECONDS }],
  maxInterval: duration(10_000),
};

/** The owner ends a turn whose time is over. This is for an owner that does not answer at all: no call waits longer for its turn. */
const LONGEST_WAIT_MS = 60_000;

const late: HeaderMatcher = HeaderMatcher.fromPartial({
  name: HEADERS.actorLate,
  headerMatchSpecifier: { $case: 'presentMatch', value: true },
});

/** The search for an owner takes its tries from the same count, so there are never fewer. */
const searchFor = (times: RetryTimes): Partial<RetryPolicy> => ({
  numRetries: Math.max(times.retries, actorRetry.numRetries ?? 0),
  retryBackOff: backOff(times),
  rateLimitedRetryBackOff: afterMoved,
});

/**
 * @returns how calls of an actor type are tried, with what a Resiliency says on top of the search for the actor's owner. The tries for
 * both are counted together, since Envoy has one count. Breakers and the time of a turn are the owner's.
 */
export function actorCalls({ retry, timeoutMs, notSent }: TargetResiliency): readonly ActorCalls[] {
  const perTryTimeout = timeoutMs > 0 ? duration(timeoutMs + LONGEST_WAIT_MS) : undefined;
  const search: RetryPolicy = { ...actorRetry, ...(notSent ? searchFor(notSent) : {}), perTryTimeout };
  if (!retry || retry.retries === 0) return [{ headers: [], retryPolicy: search }];
  const retryPolicy: RetryPolicy = {
    ...search,
    retryOn: `${search.retryOn},reset`,
    numRetries: retry.retries,
    retriableHeaders: [...search.retriableHeaders, late, ...failures(retry)],
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
