import { nearest } from '../lib/suggest.js';

/** @returns ` (did you mean x?)` for the candidate nearest to `word`, or an empty string when none is near */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const meant = nearest(word, [...candidates]);
  return meant === undefined ? '' : ` (did you mean ${meant}?)`;
}
