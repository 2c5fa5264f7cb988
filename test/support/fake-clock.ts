import type { Clock } from '../../src/lib/clock.js';

export interface FakeClock extends Clock {
  /** Lets `ms` milliseconds pass: what is due fires in order, each at its own time. */
  advance(ms: number): void;
  /** Timers that have not fired. */
  readonly pending: number;
}

/** @returns a clock that stands still until told otherwise */
export function createFakeClock(): FakeClock {
  let now = 0;
  let timers: { readonly at: number; readonly fire: () => void }[] = [];
  return {
    now: () => now,
    after(ms, fire) {
      const timer = { at: now + ms, fire };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((timer) => timer !== due);
        now = Math.max(now, due.at);
        due.fire();
      }
      now = end;
    },
    get pending() {
      return timers.length;
    },
  };
}
