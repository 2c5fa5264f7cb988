import type { Clock } from '../lib/clock.js';

const CHECK_MS = 200;
/** Subtracted from the lease: turns must have ended before another host may start them. */
export const LEASE_MARGIN_MS = 500;

/**
 * Calls `onLost` each time that the lease runs out on this process's own clock.
 * @returns stop watching
 */
export function watchLease(leaseValid: () => boolean, onLost: () => void, clock: Clock): () => void {
  let valid = false;
  let cancel = () => {};
  const check = () => {
    const now = leaseValid();
    if (valid && !now) onLost();
    valid = now;
    cancel = clock.after(CHECK_MS, check);
  };
  check();
  return () => cancel();
}
