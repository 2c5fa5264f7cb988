import type { Clock } from '../../lib/clock.js';
import type { BreakerCounts } from '../../model/traffic/trip-expression.js';

export type BreakerState = 'closed' | 'half-open' | 'open';

export interface BreakerOptions {
  /** Tries at a time while half open; as many successes in a row close it. */
  readonly maxRequests: number;
  /** How often the counts of a closed breaker start anew, milliseconds; 0: never. */
  readonly intervalMs: number;
  readonly openMs: number;
  readonly trips: (counts: BreakerCounts) => boolean;
  readonly clock: Clock;
  readonly onChange?: (state: BreakerState) => void;
}

/** A call that was not made: nothing is known of what it would have brought. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError';
}

const NOTHING: BreakerCounts = {
  requests: 0,
  totalSuccesses: 0,
  totalFailures: 0,
  consecutiveSuccesses: 0,
  consecutiveFailures: 0,
};

/**
 * A circuit breaker as Dapr has it (reference §4.4): any expression over the counts opens it, and several tries may run while it is half
 * open. The libraries for Node count in their own ways and let one try through.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = 'closed';
  #counts: BreakerCounts = NOTHING;
  /** Grows with each change of state: what a call of an earlier one brings does not count. */
  #generation = 0;
  /** When the state or its counts end by themselves. */
  #until: number;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#until = this.#nextReset();
  }

  get state(): BreakerState {
    this.#expire();
    return this.#state;
  }

  /** Asks for leave to call. @returns what to tell the outcome to; undefined: no call was made after all @throws BreakerOpenError */
  enter(): (succeeded: boolean | undefined) => void {
    this.#expire();
    if (this.#state === 'open') throw new BreakerOpenError('circuit breaker is open');
    if (this.#state === 'half-open' && this.#counts.requests >= this.#options.maxRequests)
      throw new BreakerOpenError('circuit breaker is half open, and as many calls as may try are under way');
    this.#counts = { ...this.#counts, requests: this.#counts.requests + 1 };
    const generation = this.#generation;
    return (succeeded) => {
      this.#expire();
      if (generation !== this.#generation) return;
      if (succeeded === undefined) this.#counts = { ...this.#counts, requests: this.#counts.requests - 1 };
      else this.#note(succeeded);
    };
  }

  #note(succeeded: boolean): void {
    const { requests, totalSuccesses, totalFailures, consecutiveSuccesses, consecutiveFailures } = this.#counts;
    this.#counts = succeeded
      ? {
          requests,
          totalSuccesses: totalSuccesses + 1,
          totalFailures,
          consecutiveSuccesses: consecutiveSuccesses + 1,
          consecutiveFailures: 0,
        }
      : {
          requests,
          totalSuccesses,
          totalFailures: totalFailures + 1,
          consecutiveSuccesses: 0,
          consecutiveFailures: consecutiveFailures + 1,
        };
    if (this.#state === 'half-open') {
      if (!succeeded) this.#become('open');
      else if (this.#counts.consecutiveSuccesses >= this.#options.maxRequests) this.#become('closed');
    } else if (!succeeded && this.#options.trips(this.#counts)) this.#become('open');
  }

  #expire(): void {
    const now = this.#options.clock.now();
    if (now < this.#until) return;
    if (this.#state === 'open') this.#become('half-open');
    else if (this.#state === 'closed') {
      this.#counts = NOTHING;
      this.#generation += 1;
      this.#until = this.#nextReset();
    }
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.#counts = NOTHING;
    this.#generation += 1;
    if (state === 'open') this.#until = this.#options.clock.now() + this.#options.openMs;
    else this.#until = state === 'closed' ? this.#nextReset() : Number.POSITIVE_INFINITY;
    this.#options.onChange?.(state);
  }

  #nextReset(): number {
    const { intervalMs, clock } = this.#options;
    return intervalMs > 0 ? clock.now() + intervalMs : Number.POSITIVE_INFINITY;
  }
}
