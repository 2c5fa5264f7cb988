import type { Clock } from '../lib/clock.js';

export interface DebounceOptions {
  /** Runs after this many milliseconds without a new event … */
  readonly quietMs: number;
  /** … but at the latest so many after the first one, so that a storm of events holds nothing back (istio#14349). */
  readonly maxMs: number;
}

export interface Debounced {
  trigger(): void;
  /** Runs at once when anything is due. */
  flush(): void;
  close(): void;
}

/** @returns `run`, called once for each burst of triggers */
export function debounce(run: () => void, { quietMs, maxMs }: DebounceOptions, clock: Clock): Debounced {
  let firstAt: number | undefined;
  let cancel = () => {};
  const close = () => {
    cancel();
    firstAt = undefined;
  };
  const fire = () => {
    close();
    run();
  };
  return {
    trigger() {
      const now = clock.now();
      firstAt ??= now;
      cancel();
      cancel = clock.after(Math.max(0, Math.min(quietMs, firstAt + maxMs - now)), fire);
    },
    flush() {
      if (firstAt !== undefined) fire();
    },
    close,
  };
}
