import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { Reports } from '../attach-client.js';

/** Dapr's series of the reports that keep a host of actors in the placement (reference §8): here those on the Attach stream, of every instance. */
export function showReports({ actors }: Pick<SidecarMetrics, 'actors'>, reports: () => Reports): void {
  actors.reports.from(() => {
    const { accepted, heartbeats } = reports();
    actors.reports.of('attach').value = accepted;
    actors.reports.of('heartbeat').value = heartbeats;
  });
  actors.failedReports.from(() => {
    const { rejected, broken } = reports();
    actors.failedReports.of('attach', 'rejected').value = rejected;
    actors.failedReports.of('heartbeat', 'connection').value = broken;
  });
}
