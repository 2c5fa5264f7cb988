import type { Clock } from '../../lib/clock.js';
import type { Envoy } from './process.js';
import { SILENT_AFTER_MS, untilSilent } from './silence.js';

export interface FollowOptions {
  /** Another Envoy served before this one, so whoever calls has been told of it. */
  readonly again: boolean;
  /** Resolves when every listener serves, or `signal` aborts. */
  readonly untilServes: (signal: AbortSignal) => Promise<void>;
  /** Every listener serves, at the start or after a silence. */
  onServes(): void;
  /** It serves nobody, and has not for a few seconds. */
  onSilent(): void;
  /** It did not come back and is about to be killed. */
  onReplace(): void;
  readonly clock: Clock;
  /** Aborts when this Envoy has ended or nobody cares any more. */
  readonly signal: AbortSignal;
}

/** How long a silent Envoy may take to come back. */
const REPLACE_AFTER_MS = 30_000;

/** Follows one Envoy from its start to its end: tells when it serves and when it does not answer, and has a dead one replaced. */
export async function followEnvoy(envoy: Pick<Envoy, 'admin' | 'replace'>, options: FollowOptions): Promise<void> {
  const { clock, signal } = options;
  const { answers } = envoy.admin;
  let serves = false;
  let cancel = () => {};
  const watch = () => {
    cancel = clock.after(REPLACE_AFTER_MS, () => void (signal.aborted || replace()));
  };
  const replace = async () => {
    // One that answers lives, even if what it listens on is not all there.
    const lives = await answers(SILENT_AFTER_MS);
    // It may have come to serve while it was asked; then it is its silence that counts.
    if (signal.aborted || serves) return;
    if (lives) return watch();
    options.onReplace();
    envoy.replace();
  };
  // From its start on: one that stops before it serves would be waited for without end.
  watch();
  const late = options.again ? clock.after(SILENT_AFTER_MS, () => signal.aborted || options.onSilent()) : () => {};
  while (!signal.aborted) {
    await options.untilServes(signal);
    serves = true;
    late();
    cancel();
    if (signal.aborted) return;
    options.onServes();
    await untilSilent({ answers, clock, signal });
    if (signal.aborted) return;
    serves = false;
    options.onSilent();
    watch();
  }
}
