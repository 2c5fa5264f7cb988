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
const TELL_EVERY_MS = 3000;
const BACKOFF = { initialMs: 50, maxMs: 2000 };

/** Keeps one connection: at once after one that worked, then with growing, jittered pauses; says every few seconds that it waits. */
export async function keepConnected(options: ReconnectOptions): Promise<void> {
  const { what, logger, signal, tellEveryMs = TELL_EVERY_MS } = options;
  const wait = backoff(BACKOFF);
  let open = false;
  let waited = false;
  let lastWhy = '';
  // By a timer: an attempt may itself hang, on a certificate that is not there yet for one.
  const teller = setInterval(() => {
    if (open) return;
    waited = true;
    logger.warn(`waiting for the ${what}`, lastWhy === '' ? {} : { why: lastWhy });
  }, tellEveryMs);
  teller.unref();
  while (!signal.aborted) {
    const startedAt = performance.now();
    lastWhy = await options.connect(() => {
      open = true;
      // As loud as the loss: who saw that one waits for this.
      if (waited) logger.warn(`${what} answers`);
      waited = false;
    });
    if (signal.aborted) break;
    const worked = open && performance.now() - startedAt > STEADY_MS;
    if (open) {
      logger.warn(`${what} is gone; what is configured stays in force`, { why: lastWhy });
      teller.refresh();
      waited = true;
    }
    open = false;
    if (worked) wait.reset();
    else await sleep(wait.next(), signal);
  }
  clearInterval(teller);
}
