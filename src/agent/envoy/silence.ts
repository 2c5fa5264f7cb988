import type { Clock } from '../../lib/clock.js';

/**
 * A process that is stopped or hangs keeps its sockets open, and the kernel goes on taking connections for it: only an answer proves
 * that Envoy lives.
 */
export interface SilenceOptions {
  /** Whether Envoy gives an answer within so many milliseconds. */
  readonly answers: (ms: number) => Promise<boolean>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** From the last answer until Envoy counts as silent, at the least. */
export const SILENT_AFTER_MS = 3000;
const ASK_EVERY_MS = 1000;
const ANSWER_MS = 1500;

/**
 * Resolves when Envoy has given no answer for three to four seconds, or when `signal` aborts. Two questions in a row must fail: of one that
 * was under way while this process itself slept the deadline is over before the answer is read.
 */
export async function untilSilent({ answers, clock, signal }: SilenceOptions): Promise<void> {
  let answeredAt = clock.now();
  let failed = 0;
  while (!signal.aborted) {
    const askedAt = clock.now();
    if (await answers(ANSWER_MS)) {
      answeredAt = clock.now();
      failed = 0;
    } else {
      failed += 1;
      if (failed > 1 && clock.now() - answeredAt >= SILENT_AFTER_MS) return;
    }
    // A question that waited for its deadline is asked again at once.
    await pause(askedAt + ASK_EVERY_MS - clock.now(), clock, signal);
  }
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
