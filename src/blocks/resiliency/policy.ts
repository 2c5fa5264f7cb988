import type { CodeRange, ResiliencyPolicies, RetryPolicy } from '../../gen/weft/config/v1/config.js';
import type { Clock } from '../../lib/clock.js';
import { BreakerOpenError } from './breaker.js';
import type { PolicyDeps } from './observer.js';
import { createBreaker, limitTime, type TimeLimit } from './parts.js';

export interface RunOptions {
  /** Aborted: no further try. */
  readonly signal?: AbortSignal | undefined;
  /** Who waits for the answer. Asked when a try has failed; aborted: no further try. */
  readonly caller?: (() => AbortSignal) | undefined;
  /** True: the call itself is wrong (an etag that does not match). It is not tried again, and the component has not failed. */
  readonly isCallersFault?: (error: unknown) => boolean;
  /** What the app answered, for `matching`; undefined: it did not. */
  readonly replyOf?: (error: unknown) => ReplyCode | undefined;
}

export interface ReplyCode {
  readonly protocol: 'http' | 'grpc';
  readonly code: number;
}

/** retry(circuit breaker(timeout(call))), reference §4.4. */
export interface Policy {
  /** @throws what the last try threw, TryTimeoutError, BreakerOpenError */
  run<T>(call: (signal: AbortSignal | undefined) => T | Promise<T>, options?: RunOptions): Promise<T>;
}

/** No call is tried again later than this after its first try: whoever waits for it is long gone. */
const GIVE_UP_MS = 15 * 60_000;
const GROWTH = 1.5;
const JITTER = 0.5;

/** @throws Error when the trip expression is none */
export function createPolicy(policies: ResiliencyPolicies, deps: PolicyDeps): Policy {
  const { retry, circuitBreaker, timeoutMs, source } = policies;
  const { target, clock, observer } = deps;
  const breaker = circuitBreaker && createBreaker(circuitBreaker, source, deps);
  if (breaker) observer?.breaker(target, source, 'closed');
  const timed = timeoutMs > 0 ? limitTime(timeoutMs, source, deps) : undefined;
  const once: TimeLimit = async (call, signal) => (timed ? timed(call, signal) : call(signal));

  const guarded = async <T>(
    call: (signal: AbortSignal | undefined) => T | Promise<T>,
    { signal, isCallersFault }: RunOptions,
  ): Promise<T> => {
    if (!breaker) return once(call, signal);
    observer?.ran(target, source, 'circuitbreaker', breaker.state);
    const leave = breaker.enter();
    try {
      const result = await once(call, signal);
      leave(true);
      return result;
    } catch (error) {
      leave(isCallersFault?.(error) ?? false);
      throw error;
    }
  };

  if (!retry) return { run: (call, options = {}) => guarded(call, options) };
  return {
    async run(call, options = {}) {
      let given: readonly AbortSignal[] | undefined;
      const endsAt = clock.now() + GIVE_UP_MS;
      const waits = createWaits(retry, deps.random);
      observer?.ran(target, source, 'retry');
      for (;;) {
        try {
          return await guarded(call, options);
        } catch (error) {
          given ??= [options.signal, options.caller?.()].filter((signal) => signal !== undefined);
          const waitMs = mayTryAgain(retry, error, options) && !isAborted(given) ? waits() : undefined;
          if (waitMs === undefined || clock.now() + waitMs > endsAt) throw error;
          observer?.activated(target, source, 'retry');
          await pause(clock, waitMs, given);
          if (isAborted(given)) throw error;
        }
      }
    },
  };
}

const isAborted = (signals: readonly AbortSignal[]): boolean => signals.some(({ aborted }) => aborted);

function mayTryAgain(retry: RetryPolicy, error: unknown, { isCallersFault, replyOf }: RunOptions): boolean {
  if (error instanceof BreakerOpenError || isCallersFault?.(error)) return false;
  return matches(retry, replyOf?.(error));
}

/** @returns what gives the milliseconds before each retry, undefined when there is none left */
function createWaits(retry: RetryPolicy, random: () => number): () => number | undefined {
  let left = retry.maxRetries < 0 ? Number.POSITIVE_INFINITY : retry.maxRetries;
  let next = retry.intervalMs;
  return () => {
    if (left <= 0) return undefined;
    left -= 1;
    if (!retry.exponential) return retry.intervalMs;
    const wait = next * (1 - JITTER + 2 * JITTER * random());
    next = Math.min(next * GROWTH, retry.maxIntervalMs);
    return Math.min(wait, retry.maxIntervalMs);
  };
}

/** What is no reply of the app at all is always tried again. */
function matches({ httpStatusCodes, grpcStatusCodes }: RetryPolicy, reply: ReplyCode | undefined): boolean {
  if (!reply) return true;
  const ranges: readonly CodeRange[] = reply.protocol === 'http' ? httpStatusCodes : grpcStatusCodes;
  return ranges.length === 0 || ranges.some(({ from, to }) => from <= reply.code && reply.code <= to);
}

function pause(clock: Clock, ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    for (const signal of signals) signal.addEventListener('abort', done, { once: true });
  });
}
