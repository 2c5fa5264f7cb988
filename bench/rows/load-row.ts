import { messageOf } from '../../src/errors.js';
import { sleep } from '../../src/lib/async.js';
import { cpuByPart } from '../measure/cpu.js';
import { pssByPart } from '../measure/pss.js';
import { ask, type SimpleRequest, stopAll } from '../process.js';
import type {
  LoadResult,
  ProcessPart,
  Row,
  RowName,
  Running,
  RunOptions,
  Sample,
  Subject,
  SubjectName,
  Topology,
} from '../types.js';

export interface LoadSpec {
  readonly name: RowName;
  readonly about: string;
  readonly topology: Topology;
  /** Requests that must succeed before anything is measured, in order. */
  readonly prime?: readonly Omit<SimpleRequest, 'port'>[];
  load(running: Running, options: RunOptions, seconds: number): Promise<LoadResult>;
}

const PRIME_MS = 20_000;

/** A row that puts load on every subject: all are started, then measured in turn, round after round. */
export function loadRow(spec: LoadSpec): Row {
  return {
    name: spec.name,
    about: spec.about,
    async run(subjects, options) {
      const running = new Map<Subject, Running>();
      const samples = new Map<SubjectName, Sample[]>();
      try {
        for (const subject of subjects) {
          const one = await startOne(spec, subject, options);
          if (one) running.set(subject, one);
        }
        for (let round = 0; round < options.rounds; round++) {
          for (const [subject, one] of running) {
            const sample = await measure(spec, one, options).catch(messageOf);
            if (typeof sample === 'string') {
              // What it did before is no figure either; the others go on.
              options.say(`${spec.name} ${round + 1}/${options.rounds}: ${subject.name} is left out from here: ${sample}`);
              samples.delete(subject.name);
              running.delete(subject);
              await one.stop();
              continue;
            }
            samples.set(subject.name, [...(samples.get(subject.name) ?? []), sample]);
            options.say(`${spec.name} ${round + 1}/${options.rounds} ${subject.name}: ${speed(sample)}`);
          }
        }
      } finally {
        await stopAll([...running.values()]);
      }
      return samples;
    },
  };
}

/** A subject that cannot do a row is reported and left out; the others are still worth measuring. */
const speed = ({ rps, errors }: Sample) =>
  `${Math.round(rps ?? 0)} requests/s${errors > 0 ? `, ${errors} ERRORS: no figure of speed` : ''}`;

async function startOne(spec: LoadSpec, subject: Subject, options: RunOptions): Promise<Running | undefined> {
  let one: Running | undefined;
  try {
    one = await subject.start(spec.topology);
    for (const call of spec.prime ?? []) await prime({ ...call, port: one.target.httpPort });
    const { requests, errors } = await spec.load(one, options, 1);
    if (requests === 0) throw new Error(`no request succeeded in the first second, ${errors} failed`);
    return one;
  } catch (error) {
    options.say(`${spec.name}: ${subject.name} is left out: ${messageOf(error)}`);
    await one?.stop();
    return undefined;
  }
}

async function prime(call: SimpleRequest): Promise<void> {
  const end = performance.now() + PRIME_MS;
  for (;;) {
    const { status, body } = await ask(call);
    if (status >= 200 && status < 300) return;
    if (performance.now() > end) throw new Error(`${call.method ?? 'GET'} ${call.path}: ${status} ${body.slice(0, 300)}`);
    await sleep(100);
  }
}

async function measure(spec: LoadSpec, running: Running, options: RunOptions): Promise<Sample> {
  const sidecars = running.sidecars();
  const before = cpuByPart(sidecars);
  const result = await spec.load(running, options, options.seconds);
  const after = cpuByPart(sidecars);
  const cpuUs: Partial<Record<ProcessPart, number>> = {};
  for (const part of Object.keys(after) as ProcessPart[])
    cpuUs[part] = ((after[part] ?? 0) - (before[part] ?? 0)) / Math.max(1, result.requests);
  const { rps, p50Ms, p99Ms, errors, detail } = result;
  return { rps, p50Ms, p99Ms, errors, cpuUs, pssMb: pssByPart(sidecars), ...(detail ? { detail } : {}) };
}
