import type { OptionField } from '../options.js';

/** @returns a whole number of at least `min` */
export const wholeNumber = (fallback: number, min: number): OptionField<number> => ({
  read: (given) => {
    if (given === undefined) return fallback;
    if (!/^\d+$/.test(given) || Number(given) < min) throw new Error(`'${given}' is not a whole number of at least ${min}`);
    return Number(given);
  },
});

/** @returns one of `choices`, the first of which holds without the item */
export const oneOf = <const T extends string>(...choices: readonly [T, ...T[]]): OptionField<T> => ({
  read: (given) => {
    const wanted = given?.toLowerCase();
    const choice = wanted === undefined ? choices[0] : choices.find((known) => known === wanted);
    if (choice === undefined) throw new Error(`'${given}' is not one of ${choices.join(', ')}`);
    return choice;
  },
});

/** Milliseconds until attempt `attempt + 1`: doubled each time, up to `maxMs`. */
export function redeliveryDelay(attempt: number, initialMs: number, maxMs: number): number {
  return Math.min(initialMs * 2 ** Math.min(Math.max(attempt - 1, 0), 30), maxMs);
}
