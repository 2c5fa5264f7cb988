import { AppError } from '../../errors.js';
import type { Concurrency, Consistency } from './contract.js';

type Metadata = Readonly<Record<string, string>> | undefined;

const bad = (err: string) => new AppError('stateMalformedRequest', { err });

/** @returns undefined for unset @throws AppError (400) for any other word */
export function parseConsistency(text: string | undefined): Consistency | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'eventual' || text === 'strong') return text;
  throw bad(`unrecognized consistency model '${text}'; give eventual or strong`);
}

/** @returns undefined for unset, which is last-write @throws AppError (400) for any other word */
export function parseConcurrency(text: string | undefined): Concurrency | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'first-write' || text === 'last-write') return text;
  throw bad(`unrecognized concurrency model '${text}'; give first-write or last-write`);
}

/** The last moment that a Date can hold, milliseconds since the epoch. */
const END_OF_TIME_MS = 8.64e15;

/** @returns `ttlInSeconds` of the metadata (name in any case), undefined when the entry is to stay @throws AppError (400) for what is no whole number */
export function parseTtl(metadata: Metadata, nowMs: number): number | undefined {
  if (metadata === undefined) return undefined;
  const text = metadata.ttlInSeconds ?? anyCase(metadata, 'ttlinseconds');
  if (text === undefined || text === '') return undefined;
  const seconds = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(nowMs + seconds * 1000 <= END_OF_TIME_MS)) throw bad(`ttlInSeconds '${text}' is not a whole number of seconds`);
  return seconds > 0 ? seconds : undefined;
}

function anyCase(metadata: Readonly<Record<string, string>>, name: string): string | undefined {
  for (const key in metadata) if (key.toLowerCase() === name) return metadata[key];
  return undefined;
}
