import { messageOf } from '../../src/errors.js';
import type { Row, Sample, StartupProbe, Subject, SubjectName } from '../types.js';

const STARTS_PER_ROUND = 3;

/** Each sample is one start, so p50 is the median start and p99 the slowest. */
export const startup: Row = {
  name: 'startup',
  about: 'from the start of the sidecar process until /v1.0/healthz is 204; p99 is the slowest start',
  async run(subjects, { rounds, say }) {
    const probes = new Map<Subject, StartupProbe>();
    const samples = new Map<SubjectName, Sample[]>();
    try {
      for (const subject of subjects) if (subject.startup) probes.set(subject, await subject.startup());
      for (let round = 0; round < rounds * STARTS_PER_ROUND; round++)
        for (const [subject, probe] of probes) {
          try {
            const ms = await probe.once();
            samples.set(subject.name, [...(samples.get(subject.name) ?? []), sampleOf(ms)]);
            say(`startup ${round + 1} ${subject.name}: ${Math.round(ms)} ms`);
          } catch (error) {
            probes.delete(subject);
            await probe.stop();
            say(`startup: ${subject.name} is left out: ${messageOf(error)}`);
          }
        }
    } finally {
      for (const probe of probes.values()) await probe.stop();
    }
    return samples;
  },
};

const sampleOf = (ms: number): Sample => ({ rps: null, p50Ms: ms, p99Ms: ms, cpuUs: {}, pssMb: {}, errors: 0 });
