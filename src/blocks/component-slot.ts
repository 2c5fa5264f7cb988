import { withDeadline } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';
import type { LoadedComponent } from './component.js';
import type { MaybePromise } from './state/contract.js';

/** How long a replaced component may go on for calls that it still has under way, milliseconds. */
const IN_USE_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 5_000;

/** One loaded component and the calls that are under way in it, so that it is closed only when nobody uses it any more. */
export class ComponentSlot<T extends LoadedComponent> {
  #inUse = 0;
  #idle: (() => void) | undefined;
  readonly #retired = new AbortController();

  constructor(readonly component: T) {}

  /** Aborted once the component is no longer in force. */
  get retired(): AbortSignal {
    return this.#retired.signal;
  }

  /** Counts a call that returned a promise as under way until that settles. @returns `result` as it is */
  track<R>(result: MaybePromise<R>): MaybePromise<R> {
    // An immediate value is the hot path of an in-memory store: it pays for nothing here.
    if (result instanceof Promise) {
      this.#inUse += 1;
      const done = () => this.#release();
      result.then(done, done);
    }
    return result;
  }

  /** Closes the component once it is idle, at the latest after 10 s. Never rejects. */
  async retire(name: string, logger: Logger): Promise<void> {
    this.#retired.abort();
    try {
      if (this.#inUse > 0) {
        const idle = new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
        await withDeadline(idle, IN_USE_LIMIT_MS, `calls under way in component ${name}`);
      }
    } catch (error) {
      logger.warn('closing a component that is still in use', { component: name, error: String(error) });
    }
    try {
      await withDeadline(this.component.close(), CLOSE_LIMIT_MS, `close of component ${name}`);
    } catch (error) {
      logger.warn('component did not close cleanly', { component: name, error: String(error) });
    }
  }

  #release(): void {
    this.#inUse -= 1;
    if (this.#inUse === 0) this.#idle?.();
  }
}
