import type { Component } from '../gen/weft/config/v1/config.js';
import type { Clock } from '../lib/clock.js';

export interface ComponentRetriesOptions {
  /** Tries once more. @returns true: nothing is left to be tried. Never rejects */
  readonly load: (key: string, resource: Component) => Promise<boolean>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

interface Waiting {
  readonly resource: Component;
  ceilingMs: number;
  cancel: () => void;
}

/** Components that could not be loaded are tried again, after ever longer waits, until they load or their resource changes. */
export class ComponentRetries {
  readonly #options: ComponentRetriesOptions;
  readonly #waiting = new Map<string, Waiting>();

  constructor(options: ComponentRetriesOptions) {
    this.#options = options;
  }

  /** Tries `resource` again later; one that waits under `key` already is forgotten. @returns milliseconds until then */
  schedule(key: string, resource: Component): number {
    this.cancel(key);
    return this.#wait(key, { resource, ceilingMs: FIRST_MS, cancel: () => {} });
  }

  /** @returns whether it is still `resource` that is wanted under `key` */
  isWaiting(key: string, resource: Component): boolean {
    return this.#waiting.get(key)?.resource === resource;
  }

  cancel(key: string): void {
    this.#waiting.get(key)?.cancel();
    this.#waiting.delete(key);
  }

  /** Tries those now that `concerns` picks: what they wanted has come. */
  hurry(concerns: (resource: Component) => boolean): void {
    for (const [key, waiting] of this.#waiting) {
      if (!concerns(waiting.resource)) continue;
      waiting.cancel();
      waiting.cancel = this.#options.clock.after(0, () => void this.#try(key, waiting));
    }
  }

  close(): void {
    for (const key of [...this.#waiting.keys()]) this.cancel(key);
  }

  #wait(key: string, waiting: Waiting): number {
    const { clock, random } = this.#options;
    // Half of it is drawn: sidecars that lost one server together must not come back together.
    const ms = waiting.ceilingMs * (0.5 + random() / 2);
    waiting.ceilingMs = Math.min(waiting.ceilingMs * 2, LONGEST_MS);
    waiting.cancel = clock.after(ms, () => void this.#try(key, waiting));
    this.#waiting.set(key, waiting);
    return ms;
  }

  async #try(key: string, waiting: Waiting): Promise<void> {
    const done = await this.#options.load(key, waiting.resource);
    // Another resource may have taken its place meanwhile.
    if (this.#waiting.get(key) !== waiting) return;
    if (done) this.#waiting.delete(key);
    else this.#wait(key, waiting);
  }
}
