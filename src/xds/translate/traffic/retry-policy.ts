import { HeaderMatcher, type RetryPolicy } from '../../../gen/envoy/config/route/v3/route_components.js';
import type { CodeRange, RetryRule } from '../../../model/traffic/route.js';
import { connectionRetry, NOT_SENT } from '../retry.js';
import { duration } from '../values.js';

/** A retry, as it stands in a rule, and the time that one try has, milliseconds (0: as long as it likes). */
export interface Attempts {
  readonly retry: RetryRule | undefined;
  readonly attemptMs: number;
}

const MAX_WAIT_MS = 3_600_000;

/** @returns the retry policy of a route; undefined: that of the whole table, which tries again what never reached the app */
export function retryPolicy({ retry, attemptMs }: Attempts): RetryPolicy | undefined {
  if (!retry && attemptMs === 0) return undefined;
  const perTryTimeout = attemptMs > 0 ? duration(attemptMs) : undefined;
  return { ...(retry ? fromRule(retry) : connectionRetry), perTryTimeout };
}

function fromRule(rule: RetryRule): RetryPolicy {
  if (rule.retries === 0) return { ...connectionRetry, retryOn: '', numRetries: 0 };
  const retriableHeaders = failures(rule);
  // Of a broken connection or a try that took too long nobody knows whether it worked: who asks for retries takes that into account.
  const retryOn = `${NOT_SENT},reset${retriableHeaders.length > 0 ? ',retriable-headers' : ''}`;
  return { ...connectionRetry, retryOn, numRetries: rule.retries, retriableHeaders, retryBackOff: backOff(rule) };
}

/** Envoy draws each wait from 0 to twice the interval's mean, so that the mean is what the rule says. */
export const backOff = ({ waitMs, maxWaitMs }: Pick<RetryRule, 'waitMs' | 'maxWaitMs'>) => {
  const base = Math.min(MAX_WAIT_MS, Math.max(1, 2 * waitMs));
  return { baseInterval: duration(base), maxInterval: duration(Math.min(MAX_WAIT_MS, Math.max(base, 2 * maxWaitMs))) };
};

/** Statuses as headers, since a list of statuses would name 200 of them one by one; gRPC's as far as no message came before them. */
export const failures = ({ statuses, grpcCodes }: Pick<RetryRule, 'statuses' | 'grpcCodes'>): HeaderMatcher[] => [
  ...statuses.map((range) => inRange(':status', range)),
  ...grpcCodes.map((range) => inRange('grpc-status', range)),
];

const inRange = (name: string, [from, to]: CodeRange): HeaderMatcher =>
  HeaderMatcher.fromPartial({ name, headerMatchSpecifier: { $case: 'rangeMatch', value: { start: from, end: to + 1 } } });
