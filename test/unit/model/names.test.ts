import { describe, expect, it } from 'vitest';
import * as names from '../../../src/model/names.js';

const apps = ['orders', 'Orders', 'order-s', 'order_s', 'a', 'default'];
const spaces = ['default', 'prod', 'orders'];

describe('generated names', () => {
  it('are all different', () => {
    const all = spaces.flatMap((namespace) =>
      apps.flatMap((app) => [names.appCluster(namespace, app), names.actorCluster(namespace, app)]),
    );
    const fixed = [names.LOCAL_APP_CLUSTER, names.SERVICE_HTTP_CLUSTER, names.SERVICE_GRPC_CLUSTER, names.ADS_CLUSTER];
    expect(new Set([...all, ...fixed]).size).toBe(all.length + fixed.length);
    for (const group of [names.LISTENERS, names.ROUTES])
      expect(new Set(Object.values(group)).size).toBe(Object.keys(group).length);
  });

  it('of nodes round-trip', () => {
    for (const role of ['envoy', 'service'] as const)
      for (const namespace of spaces)
        for (const appId of apps) {
          const node = { role, namespace, appId, instanceId: `${appId}-1.2` };
          expect(names.parseNodeId(names.nodeId(node))).toEqual(node);
        }
  });

  it('of other nodes are not taken', () => {
    for (const id of ['', 'sidecar~10.0.0.1~a.b~c', 'envoy~default~orders', 'envoy~default~~1', 'envoy~a~b~c~d', 'other~a~b~c'])
      expect(names.parseNodeId(id)).toBeUndefined();
  });

  it('of the control plane fits an :authority, which Envoy makes of it', () => {
    expect(names.ADS_CLUSTER).toMatch(/^[a-z-]+$/);
  });
});
