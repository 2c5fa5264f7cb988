import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const shortType = (typeUrl: string) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);

export interface RegistryFigures {
  readonly instances: number;
  readonly expired: number;
  readonly problems: number;
  /** The kind of each document that is refused. */
  readonly refused: readonly string[];
  readonly sidecarProblems: number;
}

/** The control plane's own series. Labels are resource types only: names of apps would make as many series as there are apps. */
export function createControlPlaneMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const pushes = new Counter({
    name: 'weft_xds_pushes_total',
    help: 'Responses sent to proxies',
    labelNames: ['type'],
    registers,
  });
  const resources = new Counter({
    name: 'weft_xds_resources_total',
    help: 'Resources sent to proxies',
    labelNames: ['type'],
    registers,
  });
  const bytes = new Counter({
    name: 'weft_xds_bytes_total',
    help: 'Bytes of responses sent to proxies',
    labelNames: ['type'],
    registers,
  });
  const nacks = new Counter({
    name: 'weft_xds_nacks_total',
    help: 'Responses that proxies refused',
    labelNames: ['type'],
    registers,
  });
  const streams = new Gauge({ name: 'weft_xds_streams', help: 'Open ADS streams', registers });
  const slow = new Counter({
    name: 'weft_xds_slow_clients_cut_total',
    help: 'Streams cut because the proxy did not read',
    registers,
  });
  const convergence = new Histogram({
    name: 'weft_xds_convergence_seconds',
    help: 'From a change of the mesh until every connected Envoy has acknowledged the endpoints that follow from it',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 10],
    registers,
  });
  const instances = new Gauge({ name: 'weft_registry_instances', help: 'Attached instances', registers });
  const expired = new Gauge({ name: 'weft_registry_leases_expired', help: 'Leases that ran out since the start', registers });
  const refused = new Gauge({
    name: 'weft_resources_refused',
    help: 'Documents that are refused now; the last good version of each stays in force',
    labelNames: ['kind'],
    registers,
  });
  const sidecarProblems = new Gauge({ name: 'weft_sidecar_problems', help: 'What sidecars report to be wrong now', registers });
  const problems = new Gauge({ name: 'weft_resource_problems', help: 'Problems in resources now', registers });

  return {
    ads: {
      pushed(typeUrl: string, count: number, size: number) {
        const type = shortType(typeUrl);
        pushes.inc({ type });
        resources.inc({ type }, count);
        bytes.inc({ type }, size);
      },
      nacked: (typeUrl: string) => nacks.inc({ type: shortType(typeUrl) }),
      streams: (count: number) => streams.set(count),
      slowClientCut: () => slow.inc(),
    },
    /** @param ms milliseconds */
    converged: (ms: number) => convergence.observe(ms / 1000),
    registry(now: RegistryFigures) {
      instances.set(now.instances);
      expired.set(now.expired);
      problems.set(now.problems);
      sidecarProblems.set(now.sidecarProblems);
      refused.reset();
      for (const kind of now.refused) refused.inc({ kind });
    },
    /** @returns all series in Prometheus' text format */
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

export type ControlPlaneMetrics = ReturnType<typeof createControlPlaneMetrics>;
