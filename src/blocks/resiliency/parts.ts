import type { CircuitBreakerPolicy } from '../../gen/weft/config/v1/config.js';
import { compileTrip } from '../../model/traffic/trip-expression.js';
import { CircuitBreaker } from './breaker.js';
import type { PolicyDeps } from './observer.js';

/** What policies of components and of actors are put together from. */

export class TryTimeoutError extends Error {
  override readonly name = 'TryTimeoutError';
}

type PartDeps = Pick<PolicyDeps, 'target' | 'clock' | 'observer'>;

/** @throws Error when the trip expression is none */
export function createBreaker(
  { maxRequests, intervalMs, timeoutMs, trip }: CircuitBreakerPolicy,
  source: string,
  { target, clock, observer }: PartDeps,
): CircuitBreaker {
  return new CircuitBreaker({
    maxRequests,
    intervalMs,
    openMs: timeoutMs,
    trips: compileTrip(trip),
    clock,
    onChange(state) {
      if (state === 'open') observer?.activated(target, source, 'circuitbreaker');
      observer?.breaker(target, source, state);
    },
  });
}

/** Runs a call that is aborted when `outer` is, or when its time is over. @throws TryTimeoutError */
export type TimeLimit = <T>(
  call: (signal: AbortSignal | undefined) => T | Promise<T>,
  outer: AbortSignal | undefined,
) => Promise<T>;

/** @param timeoutMs more than 0 */
export function limitTime(timeoutMs: number, source: string, { target, clock, observer }: PartDeps): TimeLimit {
  return async (call, outer) => {
    observer?.ran(target, source, 'timeout');
    // One's own, and no `AbortSignal.any`: what lives as long as a component would gather a dependent for each call.
    const late = new AbortController();
    const pass = () => late.abort(outer?.reason);
    if (outer?.aborted) pass();
    else outer?.addEventListener('abort', pass, { once: true });
    let cancel = () => {};
    const over = new Promise<never>((_, reject) => {
      cancel = clock.after(timeoutMs, () => {
        const error = new TryTimeoutError(`no answer within ${timeoutMs} ms`);
        observer?.activated(target, source, 'timeout');
        // First, so that what the abort makes the call throw does not win the race.
        reject(error);
        late.abort(error);
      });
    });
    try {
      return await Promise.race([call(late.signal), over]);
    } finally {
      cancel();
      outer?.removeEventListener('abort', pass);
    }
  };
}
