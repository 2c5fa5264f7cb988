import { messageOf } from '../../src/errors.js';
import { sleep } from '../../src/lib/async.js';
import { pssByPart } from '../measure/pss.js';
import type { Row, Sample, Subject, SubjectName } from '../types.js';

const SETTLE_MS = 10_000;

/** One subject at a time, so that no other sidecar shares pages with the one that is measured. */
export const idleMemory: Row = {
  name: 'idle-memory',
  about: `memory of one sidecar with an app, ${SETTLE_MS / 1000} s after it was ready`,
  async run(subjects, { say }) {
    const samples = new Map<SubjectName, Sample[]>();
    for (const subject of subjects) {
      try {
        const sample = await settle(subject);
        if (sample) samples.set(subject.name, [sample]);
      } catch (error) {
        say(`idle-memory: ${subject.name} is left out: ${messageOf(error)}`);
      }
    }
    return samples;
  },
};

async function settle(subject: Subject): Promise<Sample | undefined> {
  const running = await subject.start({ hops: 1, appProtocol: 'http', appRole: 'plain' });
  try {
    if (running.sidecars().length === 0) return undefined;
    await sleep(SETTLE_MS);
    return { rps: null, p50Ms: null, p99Ms: null, cpuUs: {}, pssMb: pssByPart(running.sidecars()), errors: 0 };
  } finally {
    await running.stop();
  }
}
