import { timingSafeEqual } from 'node:crypto';

/** Compares what a client sent with what it has to know, in a time that tells nothing of where they differ; their length may show. */
export const sameSecret = (given: Buffer, expected: Buffer): boolean =>
  given.length === expected.length && timingSafeEqual(given, expected);
