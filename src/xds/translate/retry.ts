import { RetryPolicy } from '../../gen/envoy/config/route/v3/route_components.js';
import { HEADERS } from '../../model/names.js';
import type { RetryTimes } from '../../model/traffic/built-in-retries.js';
import { messageTypes, pack } from './any.js';
import { duration } from './values.js';

/** Failures after which no upstream has seen the request: trying again can never run anything twice. */
export const NOT_SENT = 'connect-failure,refused-stream,reset-before-request';

/**
 * As many retries as Dapr's built-in ones (reference §4.4), another instance preferred and without the second in between. The one retry
 * layer of the mesh until a Resiliency says otherwise.
 */
export const connectionRetry: RetryPolicy = RetryPolicy.fromPartial({
  retryOn: NOT_SENT,
  numRetries: 3,
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      configType: { $case: 'typedConfig', value: pack(messageTypes.previousHosts, {}) },
    },
  ],
  hostSelectionRetryMaxAttempts: 3,
  retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
});

const MAX_WAIT_MS = 3_600_000;

/** Envoy draws each wait from 0 to twice the interval's mean, so that the mean is what the rule says. */
export const backOff = ({ waitMs, maxWaitMs }: Pick<RetryTimes, 'waitMs' | 'maxWaitMs'>) => {
  const base = Math.min(MAX_WAIT_MS, Math.max(1, 2 * waitMs));
  return { baseInterval: duration(base), maxInterval: duration(Math.min(MAX_WAIT_MS, Math.max(base, 2 * maxWaitMs))) };
};

/** @returns {@link connectionRetry} as often and when somebody says */
export const notSentRetry = (times: RetryTimes | undefined): RetryPolicy =>
  times ? { ...connectionRetry, numRetries: times.retries, retryBackOff: backOff(times) } : connectionRetry;

/**
 * Tries an actor's owner again, about 1.5 seconds long: a host that is not (or no more) the owner says so by a header and has not run
 * the turn, and by the next try the endpoints may have followed. No other host is preferred: only the owner may answer.
 */
export const actorRetry: RetryPolicy = RetryPolicy.fromPartial({
  retryOn: `${NOT_SENT},retriable-headers`,
  numRetries: 8,
  retriableHeaders: [{ name: HEADERS.actorMoved, headerMatchSpecifier: { $case: 'presentMatch', value: true } }],
  retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
});
