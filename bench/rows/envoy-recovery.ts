import { probeRow } from './probe-row.js';

export const envoyRecovery = probeRow({
  name: 'envoy-recovery',
  about: "from the SIGKILL of the Envoy of an app's only sidecar until a call of it by name succeeds again; p99 is the slowest",
  perRound: 4,
  prepare: (subject) => subject.envoyRecovery?.(),
});
