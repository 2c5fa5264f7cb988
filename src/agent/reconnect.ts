import { backoff, sleep } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';

export interface ReconnectOptions {
  /** What is connected, for messages: `control plane at 127.0.0.1:18000 (--control-plane-address)`. */
  readonly what: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Runs one connection to its end. `noteOpen` tells that it works. @returns why it ended */
  readonly connect: (noteOpen: () => void) => Promise<string>;
  /** Milliseconds between two messages while nothing can be reached. Default 3,000. */
  readonly tellEveryMs?: number;
}

/** A connection that ended sooner than this did not really work: without a pause we would spin. */
const STEADY_MS = 1000;
const BACKOFF = { initialMs: 50, maxMs: 2000 };

/** Keeps one connection: at once after one that worked, then with growing, jittered pauses; says every few seconds that it waits. */
export async function keepConnected(options: ReconnectOptions): Promise<void> {
  const { what, logger, signal, tellEveryMs = 3000 } = options;
  const wait = backoff(BACKOFF);
  let toldAt = performance.now();
  let lost = false;
  while (!signal.aborted) {
    let opened = false;
    const startedAt = performance.now();
    const why = await options.connect(() => {
      opened = true;
      if (lost) logger.info(`${what} answers again`);
      lost = false;
    });
    if (signal.aborted) return;
    if (opened) {
      logger.warn(`${what} is gone; what is configured stays in force`, { why });
      lost = true;
      toldAt = performance.now();
      if (performance.now() - startedAt > STEADY_MS) {
        wait.reset();
        continue;
      }
    } else if (performance.now() - toldAt >= tellEveryMs) {
      logger.warn(`waiting for the ${what}`, { why });
      toldAt = performance.now();
      lost = true;
    }
    await sleep(wait.next(), signal);
  }
}
