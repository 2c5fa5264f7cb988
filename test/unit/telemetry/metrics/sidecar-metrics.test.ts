import { expect, it } from 'vitest';
import { metricsSettings } from '../../../../src/model/metrics/spec.js';
import { createSidecarMetrics } from '../../../../src/telemetry/metrics/sidecar-metrics.js';
import { readSeries, sumOf } from '../../../support/series.js';

it('has room for operations after any number of paths, once the Configuration asks for those', async () => {
  const metrics = createSidecarMetrics('app');
  for (let n = 0; n < 1000; n += 1) metrics.http.requests.of('GET', `/v1.0/invoke/app/method/${n}`, '200').value += 1;
  metrics.configure(metricsSettings({ metrics: { http: { increasedCardinality: false } } }));
  metrics.http.requests.of('GET', 'GetState', '200').value += 1;
  const series = (await readSeries(await metrics.registry.metrics())).filter(
    ({ name }) => name === 'dapr_http_server_request_count',
  );
  expect(sumOf(series, 'dapr_http_server_request_count', { path: 'GetState' })).toBe(1);
  expect(series).toHaveLength(1);
});

it('keeps what it has counted when something else changes', async () => {
  const metrics = createSidecarMetrics('app');
  metrics.http.requests.of('GET', '/v1.0/metadata', '200').value += 1;
  metrics.configure(metricsSettings({ metrics: { recordErrorCodes: true } }));
  const series = await readSeries(await metrics.registry.metrics());
  expect(sumOf(series, 'dapr_http_server_request_count', { path: '/v1.0/metadata' })).toBe(1);
});
