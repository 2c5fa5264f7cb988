import { Counter, Gauge, type Registry } from 'prom-client';
import type { SigningHistory } from '../identity/svid-source.js';

/** Dapr's series of a workload's certificate (reference §8), and when it ends; read when they are scraped. */
export function showIdentity(registry: Registry, history: () => SigningHistory): void {
  const counter = (name: string, help: string, value: (history: SigningHistory) => number) =>
    new Counter({
      name: `dapr_runtime_mtls_${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value(history()));
      },
    });
  counter('init_total', 'First certificates', ({ issued }) => Math.min(issued, 1));
  counter('init_fail_total', 'Failed attempts to get a first certificate', ({ failedFirst }) => failedFirst);
  counter('workload_cert_rotated_total', 'Renewed certificates', ({ issued }) => Math.max(issued - 1, 0));
  counter('workload_cert_rotated_fail_total', 'Failed attempts to renew the certificate', ({ failedRenewals }) => failedRenewals);
  new Gauge({
    name: 'weft_workload_cert_expiry_timestamp_seconds',
    help: 'When the certificate ends, seconds since the epoch; 0: there is none yet',
    registers: [registry],
    collect() {
      this.set(history().notAfterMs / 1000);
    },
  });
}
