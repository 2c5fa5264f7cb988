import { expect, it } from 'vitest';
import { statusClass, statusCode, targetOf } from '../../../../src/agent/metrics/envoy-stats.js';
import { appCluster, externalCluster, externalUrlCluster } from '../../../../src/model/names.js';

it.each([
  [appCluster('shop', 'orders@v2'), { kind: 'app', namespace: 'shop', name: 'orders@v2' }],
  [externalCluster('', 'pay'), { kind: 'external', namespace: '', name: 'pay' }],
  [externalUrlCluster('', 'pay'), { kind: 'external', namespace: '', name: 'pay/url' }],
  ['local|app', undefined],
])('the series of cluster %s have a target that no other cluster has', (cluster, target) => {
  expect(targetOf({ kind: 'cluster', name: 'upstream_rq_total', labels: { envoy_cluster_name: cluster }, value: 1 })).toEqual(
    target,
  );
});

it.each([
  ['upstream_rq_404', '404', undefined],
  ['vcluster_upstream_rq_200', '200', undefined],
  ['downstream_rq_4xx', undefined, '4xx'],
  // Envoy counts some clusters twice, by whether its caller is one of its own.
  ['external_upstream_rq_200', undefined, undefined],
  ['upstream_rq_time_count', undefined, undefined],
  ['upstream_rq_unknown', undefined, undefined],
])('%s has status %s and class %s', (name, code, kind) => {
  const sample = { kind: 'cluster', name, labels: {}, value: 1 } as const;
  expect([statusCode(sample), statusClass(sample)]).toEqual([code, kind]);
});
