import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../src/errors.js';
import { rows } from './rows/index.js';
import { FEATURES, type Feature, type Row, type SubjectName } from './types.js';

export const HELP = `usage: npm run bench -- [options]

Measures each path side by side: the app called directly, bare Envoy with the same hops, Weft behind
both of its doors, and daprd when its path is given. Read bench/README.md for what the figures mean.

  --only NAME[,NAME]     rows: ${rows.map(({ name }) => name).join(', ')}
  --subjects NAME[,NAME] subjects: direct, bare-envoy, weft-envoy, weft-service, daprd (default: all that can run)
  --json                 one JSON object per row and subject on stdout instead of the table
  --daprd PATH           also measure this daprd
  --weft PATH            this weft.mjs instead of the tree's own, to compare two builds
  --placement PATH       daprd's placement service, for actor-call
  --sentry PATH          daprd's certificate authority, for the rows with mTLS
  --without NAME[,NAME]  leave features out of Weft where all are on, to see what they cost: ${FEATURES.join(', ')}
  --seconds N            length of one measurement (default 4)
  --rounds N             measurements of each subject, taken in turn (default 5)
  --connections N        closed-loop connections (default 16)
  --keep                 keep the work directory with all logs
  --help                 this text
`;

export interface BenchOptions {
  readonly help: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly rows: readonly Row[];
  readonly subjects?: readonly SubjectName[];
  readonly daprd?: string;
  readonly placement?: string;
  readonly sentry?: string;
  readonly without: readonly Feature[];
  readonly weft?: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
}

const SUBJECTS: readonly SubjectName[] = ['direct', 'bare-envoy', 'weft-envoy', 'weft-service', 'daprd'];

/** @throws UsageError that names the flag and what it takes */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { only, subjects, daprd, placement, sentry, without, weft, seconds, rounds, connections, ...flags } = parse(argv);
  for (const [flag, value] of Object.entries({ placement, sentry }))
    if (value && !daprd) throw new UsageError(`--${flag} needs --daprd PATH as well`);
  return {
    help: flags.help ?? false,
    json: flags.json ?? false,
    keep: flags.keep ?? false,
    rows: only
      ? choose(
          '--only',
          only,
          rows.map(({ name }) => name),
        ).map((name) => rows.find((row) => row.name === name) as Row)
      : rows,
    subjects: subjects ? choose('--subjects', subjects, SUBJECTS) : undefined,
    daprd: executable('--daprd', daprd),
    weft: weft && resolve(weft),
    placement: executable('--placement', placement),
    sentry: executable('--sentry', sentry),
    without: without ? choose('--without', without, FEATURES) : [],
    seconds: positive('--seconds', seconds, 4),
    rounds: positive('--rounds', rounds, 5),
    connections: positive('--connections', connections, 16),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const named = {
    only: text,
    subjects: text,
    daprd: text,
    placement: text,
    sentry: text,
    without: text,
    weft: text,
    seconds: text,
    rounds: text,
    connections: text,
  };
  try {
    return parseArgs({ args: [...argv], options: { ...named, json: flag, keep: flag, help: flag } }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error).split('. ')[0]}; see --help`);
  }
}

function choose<T extends string>(flag: string, list: string, known: readonly T[]): readonly T[] {
  return list.split(',').map((name) => {
    const found = known.find((one) => one === name.trim());
    if (!found) throw new UsageError(`${flag}: there is no "${name}", choose from ${known.join(', ')}`);
    return found;
  });
}

function executable(flag: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    accessSync(path, constants.X_OK);
    return resolve(path);
  } catch {
    throw new UsageError(`${flag}: ${path} is not an executable file`);
  }
}

function positive(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000)
    throw new UsageError(`${flag}: "${text}" is not a whole number from 1 to 1000`);
  return value;
}
