import { expect, it } from 'vitest';
import { targetOf } from '../../../../src/agent/metrics/envoy-stats.js';
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
