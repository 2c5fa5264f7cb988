import { messageOf } from '../../src/errors.js';
import type { Row, RowName, Sample, StartupProbe, Subject, SubjectName } from '../types.js';

export interface ProbeSpec {
  readonly name: RowName;
  readonly about: string;
  readonly perRound: number;
  /** Undefined: this subject has nothing to measure here. */
  prepare(subject: Subject): Promise<StartupProbe> | undefined;
}

/** A row that times single events: each sample is one, so p50 is the median and p99 the slowest. */
export function probeRow({ name, about, perRound, prepare }: ProbeSpec): Row {
  return {
    name,
    about,
    async run(subjects, { rounds, say }) {
      const probes = new Map<Subject, StartupProbe>();
      const samples = new Map<SubjectName, Sample[]>();
      try {
        for (const subject of subjects) {
          const probe = await prepare(subject);
          if (probe) probes.set(subject, probe);
        }
        for (let round = 0; round < rounds * perRound; round++)
          for (const [subject, probe] of probes) {
            try {
              const ms = await probe.once();
              samples.set(subject.name, [...(samples.get(subject.name) ?? []), sampleOf(ms)]);
              say(`${name} ${round + 1} ${subject.name}: ${Math.round(ms)} ms`);
            } catch (error) {
              probes.delete(subject);
              await probe.stop();
              say(`${name}: ${subject.name} is left out: ${messageOf(error)}`);
            }
          }
      } finally {
        for (const probe of probes.values()) await probe.stop();
      }
      return samples;
    },
  };
}

const sampleOf = (ms: number): Sample => ({ rps: null, p50Ms: ms, p99Ms: ms, cpuUs: {}, pssMb: {}, errors: 0 });
