import { expect, it } from 'vitest';
import { countProbes } from '../../../../src/blocks/observe/count.js';
import { createSidecarMetrics } from '../../../../src/telemetry/metrics/sidecar-metrics.js';

it('counts health checks of the app by how they went', async () => {
  const metrics = createSidecarMetrics('orders');
  const answers = [204, 500, 204];
  const probe = countProbes(async (_path: string) => {
    const status = answers.shift() ?? 0;
    return { healthy: status < 300, status: String(status) };
  }, metrics.probes.http);
  expect([await probe('/a'), await probe('/b'), await probe('/c')]).toEqual([true, false, true]);
  const text = await metrics.registry.metrics();
  expect(text).toContain('dapr_http_healthprobes_completed_count{status="204",app_id="orders"} 2');
  expect(text).toContain('dapr_http_healthprobes_completed_count{status="500",app_id="orders"} 1');
  expect(text).toContain('dapr_http_healthprobes_roundtrip_latency_count{status="204",app_id="orders"} 2');
});
