import { probeRow } from './probe-row.js';

const CALLERS = 10;

export const newAppCallable = probeRow({
  name: 'new-app-callable',
  about: `from a new app's /v1.0/healthz being 204 until a call of it by name has succeeded at each of ${CALLERS} sidecars; p99 is the slowest`,
  perRound: 4,
  prepare: (subject) => subject.newApp?.(CALLERS),
});
