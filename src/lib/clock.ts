/** Time as a dependency, so that tests decide when it passes. */
export interface Clock {
  /** Monotonic milliseconds: only differences mean something. */
  now(): number;
  /** Calls `fire` once, after `ms` milliseconds. Does not keep the process alive. @returns cancel */
  after(ms: number, fire: () => void): () => void;
}

// setTimeout fires at once beyond this: 2^31 - 1 ms are 24.8 days.
const LONGEST_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
