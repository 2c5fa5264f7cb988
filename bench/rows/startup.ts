import { probeRow } from './probe-row.js';

export const startup = probeRow({
  name: 'startup',
  about: 'from the start of the sidecar process until /v1.0/healthz is 204; p99 is the slowest start',
  perRound: 3,
  prepare: (subject) => subject.startup?.(),
});
