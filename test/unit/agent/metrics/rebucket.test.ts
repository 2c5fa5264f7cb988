import { expect, it } from 'vitest';
import type { EnvoySample } from '../../../../src/agent/metrics/envoy-stats.js';
import { rebucket } from '../../../../src/agent/metrics/rebucket.js';

const bin = (lower_bound: number, count: number) => ({ lower_bound, width: 1, count });

it('puts the fine buckets of Envoy together to those that are asked for, and leaves everything else', () => {
  const total: EnvoySample = {
    kind: 'cluster',
    name: 'upstream_rq_total',
    labels: { envoy_cluster_name: 'app|d|a.b' },
    value: 3,
  };
  const old: EnvoySample = {
    kind: 'cluster',
    name: 'upstream_rq_time_bucket',
    labels: { envoy_cluster_name: 'app|d|a.b', le: '1' },
    value: 3,
  };
  const details = {
    stats: [
      { name: 'a.counter', value: 1 },
      {
        histograms: {
          details: [
            { name: 'cluster.app|d|a.b.upstream_rq_time', totals: [bin(0, 1), bin(10, 2), bin(500, 4)] },
            { name: 'cluster.app|d|a.b.external.upstream_rq_time', totals: [bin(0, 9)] },
          ],
        },
      },
    ],
  };
  const made = rebucket([total, old], JSON.stringify(details), [10, 100]);
  expect(made[0]).toBe(total);
  expect(made.slice(1).map(({ labels, value }) => [labels.envoy_cluster_name, labels.le, value])).toEqual([
    ['app|d|a.b', '10', 3],
    ['app|d|a.b', '100', 3],
    ['app|d|a.b', '+Inf', 7],
  ]);
});
