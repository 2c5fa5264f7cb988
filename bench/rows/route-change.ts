import { probeRow } from './probe-row.js';

const CALLERS = 10;

export const routeChange = probeRow({
  name: 'route-change',
  about: `from the write of a changed HTTPRoute until each of ${CALLERS} callers' sidecars follows it; p99 is the slowest change`,
  perRound: 6,
  prepare: (subject) => subject.routeChange?.(CALLERS),
});
