export const DEFAULT_TRIP = 'consecutiveFailures > 5';

/**
 * Envoy counts failures in a row for each instance.
 * @returns after how many failures in a row the breaker opens; undefined: `trip` says something else
 */
export function consecutiveFailuresOf(trip: string): number | undefined {
  const [, operator, digits] = /^\s*consecutiveFailures\s*(>=?|==)\s*(\d{1,6})\s*$/.exec(trip) ?? [];
  if (digits === undefined) return undefined;
  const failures = Number(digits) + (operator === '>' ? 1 : 0);
  return failures > 0 ? failures : undefined;
}

/** What part of the calls of one interval may fail. */
export interface FailureShare {
  /** It is too much from this percentage on … */
  readonly percent: number;
  /** … of at least so many calls. */
  readonly calls: number;
}

/**
 * Envoy's other count is the share of failures in an interval.
 * @returns what `trip` says when it is `totalFailures * 100 / requests >= P` (or `double(totalFailures) / double(requests) >= 0.x`), with or
 * without `requests >= N`; undefined: it says something else
 */
export function failureShareOf(trip: string): FailureShare | undefined {
  const parts = trip.replaceAll(/\s/g, '').split('&&');
  const shares = parts.map(percentOf).filter((value) => value !== undefined);
  const counts = parts.map(callsOf).filter((value) => value !== undefined);
  const [percent] = shares;
  if (percent === undefined || shares.length > 1 || counts.length > 1 || shares.length + counts.length !== parts.length)
    return undefined;
  return percent >= 1 && percent <= 100 ? { percent, calls: Math.max(1, counts[0] ?? 1) } : undefined;
}

const INTEGERS = /^\(?totalFailures\*100\)?\/requests(>=?)(\d{1,3})$/;
const DOUBLES = /^double\(totalFailures\)\/double\(requests\)>=(0?\.\d{1,2}|1\.0)$/;

function percentOf(part: string): number | undefined {
  const [, operator, digits] = INTEGERS.exec(part) ?? [];
  // Integers are divided without a rest, so more than 50 means at least 51.
  if (digits !== undefined) return Number(digits) + (operator === '>' ? 1 : 0);
  const [, share] = DOUBLES.exec(part) ?? [];
  return share === undefined ? undefined : Math.round(Number(share) * 100);
}

function callsOf(part: string): number | undefined {
  const [, operator, digits] = /^requests(>=?)(\d{1,6})$/.exec(part) ?? [];
  return digits === undefined ? undefined : Number(digits) + (operator === '>' ? 1 : 0);
}
