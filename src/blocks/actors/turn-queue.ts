import { AppError } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';

export interface TurnQueueOptions {
  readonly clock: Clock;
  /** Most calls that may wait for one actor. */
  readonly maxWaiting: number;
  /** How long a call may wait for its turn, milliseconds. */
  readonly maxWaitMs: number;
  /** Turns with the same reentrancy id may nest this deep; 0: reentrancy is off. */
  readonly maxStackDepth: number;
}

export interface TurnRequest {
  /** Chain of calls that this one belongs to. Ignored when reentrancy is off. */
  readonly chain?: string;
  /** Asked when the turn would begin: true means that nobody waits for the answer any more. */
  readonly gone?: () => boolean;
}

/** Nobody waits for the answer of a turn that has not begun. */
export class CallerGoneError extends AppError {
  constructor() {
    super('actorInvoke', { err: 'the caller has gone' });
  }
}

interface Waiter {
  readonly request: TurnRequest;
  start(): void;
  fail(error: Error): void;
}

/**
 * One actor's turns: one at a time, in the order of arrival. A call that belongs to the chain of the running turn enters at once,
 * because that turn waits for it.
 */
export class TurnQueue {
  readonly #options: TurnQueueOptions;
  readonly #waiting = new Set<Waiter>();
  #chain: string | undefined;
  #depth = 0;
  #closed: Error | undefined;
  #onQuiet: (() => void) | undefined;

  constructor(options: TurnQueueOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#depth > 0;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for the turn; the caller must `leave` when it is over. Nothing is returned when the turn starts at once.
   * @throws AppError actorStackDepth, or actorInvoke when the queue is full or the wait too long; or what `close` was given
   */
  enter(request: TurnRequest): Promise<void> | undefined {
    // Before the check for `closed`: a call within the running turn belongs to what may still end.
    if (this.#nests(request)) {
      if (this.#depth >= this.#options.maxStackDepth) throw new AppError('actorStackDepth');
      this.#depth++;
      return undefined;
    }
    if (this.#closed) throw this.#closed;
    if (this.#depth > 0) return this.#wait(request);
    this.#begin(request);
    return undefined;
  }

  /** Ends a turn and starts the next. */
  leave(): void {
    this.#depth--;
    if (this.#depth > 0) return;
    this.#chain = undefined;
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      if (waiter.request.gone?.()) {
        waiter.fail(new CallerGoneError());
        continue;
      }
      this.#begin(waiter.request);
      waiter.start();
      return;
    }
    this.#onQuiet?.();
  }

  /** Takes no further turn: who waits and who comes is answered with `error`. A running turn goes on. */
  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.fail(error);
  }

  /** Resolves when no turn runs. To be called once, after `close`. */
  quiet(): Promise<void> {
    if (this.#depth === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
    });
  }

  #nests(request: TurnRequest): boolean {
    return this.#depth > 0 && this.#options.maxStackDepth > 0 && request.chain !== undefined && request.chain === this.#chain;
  }

  #begin(request: TurnRequest): void {
    this.#depth = 1;
    this.#chain = request.chain;
  }

  #wait(request: TurnRequest): Promise<void> {
    const { clock, maxWaiting, maxWaitMs } = this.#options;
    if (this.#waiting.size >= maxWaiting)
      throw new AppError('actorInvoke', { err: `${maxWaiting} calls wait for this actor already` });
    return new Promise((resolve, reject) => {
      const cancel = clock.after(maxWaitMs, () => {
        this.#waiting.delete(waiter);
        reject(new AppError('actorInvoke', { err: `no turn within ${maxWaitMs} ms` }));
      });
      const waiter: Waiter = {
        request,
        start: () => {
          cancel();
          resolve();
        },
        fail: (error) => {
          cancel();
          reject(error);
        },
      };
      this.#waiting.add(waiter);
    });
  }
}
