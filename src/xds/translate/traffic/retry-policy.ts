import { HeaderMatcher, type RetryPolicy } from '../../../gen/envoy/config/route/v3/route_components.js';
import type { RetryTimes } from '../../../model/traffic/built-in-retries.js';
import type { CodeRange, RetryRule } from '../../../model/traffic/route.js';
import { backOff, connectionRetry, NOT_SENT, notSentRetry } from '../retry.js';
import { duration } from '../values.js';

/** A retry, as it stands in a rule, and the time that one try has, milliseconds (0: as long as it likes). */
export interface Attempts {
  readonly retry: RetryRule | undefined;
  readonly attemptMs: number;
  /** Of what never reached the app, if there is no `retry`. */
  readonly notSent: RetryTimes | undefined;
}

/** @returns the retry policy of a route; undefined: that of the whole table, which tries again what never reached the app */
export function retryPolicy({ retry, attemptMs, notSent }: Attempts): RetryPolicy | undefined {
  if (!retry && attemptMs === 0) return undefined;
  const perTryTimeout = attemptMs > 0 ? duration(attemptMs) : undefined;
  return { ...(retry ? fromRule(retry) : notSentRetry(notSent)), perTryTimeout };
}

function fromRule(rule: RetryRule): RetryPolicy {
  if (rule.retries === 0) return { ...connectionRetry, retryOn: '', numRetries: 0 };
  const retriableHeaders = failures(rule);
  // Of a broken connection or a try that took too long nobody knows whether it worked: who asks for retries takes that into account.
  const retryOn = `${NOT_SENT},reset${retriableHeaders.length > 0 ? ',retriable-headers' : ''}`;
  return { ...connectionRetry, retryOn, numRetries: rule.retries, retriableHeaders, retryBackOff: backOff(rule) };
}

/** Statuses as headers, since a list of statuses would name 200 of them one by one; gRPC's as far as no message came before them. */
export const failures = ({ statuses, grpcCodes }: Pick<RetryRule, 'statuses' | 'grpcCodes'>): HeaderMatcher[] => [
  ...statuses.map((range) => inRange(':status', range)),
  ...grpcCodes.map((range) => inRange('grpc-status', range)),
];

const inRange = (name: string, [from, to]: CodeRange): HeaderMatcher =>
  HeaderMatcher.fromPartial({ name, headerMatchSpecifier: { $case: 'rangeMatch', value: { start: from, end: to + 1 } } });
