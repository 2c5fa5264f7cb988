import { type Deferred, deferred } from '../lib/async.js';

export interface Publication {
  /** Resolves when the proxies have settled on what the next rebuild makes. */
  wait(): Promise<void>;
  /** The model that just went out has everything that happened before. */
  rebuilt(): void;
}

/**
 * Tells instances when the mesh knows of them. All who wait between two rebuilds share one wait for the proxies: a thousand instances
 * may come at once.
 * @param settled resolves when every proxy has answered what it was sent, or after a deadline
 */
export function createPublication(settled: () => Promise<unknown>): Publication {
  let next: Deferred<void> | undefined;
  return {
    wait() {
      next ??= deferred<void>();
      return next.promise;
    },
    rebuilt() {
      const waiting = next;
      next = undefined;
      if (waiting) void settled().then(() => waiting.resolve());
    },
  };
}
