import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { showIdentity } from '../../../../src/agent/metrics/identity-series.js';

it('a certificate is seen to come, to be renewed and to end', async () => {
  const registry = new Registry();
  let history = { issued: 0, failedFirst: 2, failedRenewals: 0, notAfterMs: 0 };
  showIdentity(registry, () => history);
  const values = async () =>
    Object.fromEntries(
      (await registry.metrics())
        .split('\n')
        .filter((line) => line && !line.startsWith('#'))
        .map((line) => line.split(' ')),
    );
  expect(await values()).toEqual({
    dapr_runtime_mtls_init_total: '0',
    dapr_runtime_mtls_init_fail_total: '2',
    dapr_runtime_mtls_workload_cert_rotated_total: '0',
    dapr_runtime_mtls_workload_cert_rotated_fail_total: '0',
    weft_workload_cert_expiry_timestamp_seconds: '0',
  });
  history = { issued: 3, failedFirst: 2, failedRenewals: 1, notAfterMs: 5000 };
  await values();
  expect(await values()).toMatchObject({
    dapr_runtime_mtls_init_total: '1',
    dapr_runtime_mtls_workload_cert_rotated_total: '2',
    dapr_runtime_mtls_workload_cert_rotated_fail_total: '1',
    weft_workload_cert_expiry_timestamp_seconds: '5',
  });
});
