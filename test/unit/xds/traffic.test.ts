import { describe, expect, it } from 'vitest';
import { buildMeshModel } from '../../../src/control/mesh-model.js';
import { PLAIN_PROFILE } from '../../../src/mesh/profile.js';
import type { Instance } from '../../../src/model/instance.js';
import type { MeshModel, ResourceSet } from '../../../src/model/mesh-model.js';
import { createMemo } from '../../../src/xds/memo.js';
import type { Snapshot } from '../../../src/xds/resource.js';
import { type ResourceTypeName, resourceTypes } from '../../../src/xds/resource-types.js';
import { createSnapshotBuilder } from '../../../src/xds/snapshot-builder.js';
import { instanceOf, NO_RESOURCES } from '../../support/model.js';
import { resourcesOf } from '../../support/resources.js';

const web = instanceOf({ appId: 'web' });
const job = instanceOf({ appId: 'job', address: '10.0.0.2' });
const orders = instanceOf({ appId: 'orders', address: '10.0.0.3', labels: { version: 'v1' } });
const all = [job, orders, web];

const modelOf = (set: ResourceSet, instances: readonly Instance[] = all): MeshModel =>
  buildMeshModel({ instances, placements: [], setFor: () => set, profile: PLAIN_PROFILE });
const envoyOf = (instance: Instance) => ({ role: 'envoy', ...instance }) as const;
const resource = (snapshot: Snapshot | undefined, type: ResourceTypeName, name: string) =>
  snapshot?.get(resourceTypes[type])?.get(name);
const versions = (snapshot: Snapshot | undefined) =>
  Object.fromEntries(
    [...(snapshot ?? [])].flatMap(([url, resources]) => [...resources.values()].map((it) => [`${url} ${it.name}`, it.version])),
  );
const changed = (before: Snapshot | undefined, after: Snapshot | undefined) => {
  const [old, now] = [versions(before), versions(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((key) => old[key] !== now[key])
    .map((key) => key.slice(key.lastIndexOf('.') + 1))
    .sort();
};
const route = (rules: string, name = 'orders') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ kind: Service, group: "", name: ${name} }], rules: ${rules} }
`;
const resiliency = (scopes: string) => `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: r }
scopes: ${scopes}
spec: { policies: { circuitBreakers: { c: {} }, retries: { r: {} } }, targets: { apps: { orders: { circuitBreaker: c, retry: r } } } }
`;

describe('policies on top of the shared resources', () => {
  it('change nothing where none speaks of the app', async () => {
    const plain = createSnapshotBuilder().build(modelOf(NO_RESOURCES), envoyOf(web));
    const other = createSnapshotBuilder().build(modelOf(await resourcesOf(resiliency('[somebody-else]'))), envoyOf(web));
    expect(changed(plain, other)).toEqual([]);
  });

  it('change the routes and the clusters that they are about, and no others', async () => {
    const builder = createSnapshotBuilder();
    const plain = builder.build(modelOf(NO_RESOURCES), envoyOf(web));
    const steered = builder.build(modelOf(await resourcesOf(resiliency('[]'))), envoyOf(web));
    expect(changed(plain, steered)).toEqual(['Cluster app|default|orders', 'RouteConfiguration outbound']);
    const routed = builder.build(modelOf(await resourcesOf(route('[{ backendRefs: [{ name: orders@v1 }] }]'))), envoyOf(web));
    expect(changed(plain, routed)).toEqual([
      'Cluster app|default|orders@v1',
      'ClusterLoadAssignment app|default|orders@v1',
      'RouteConfiguration outbound',
    ]);
  });

  it('are for the callers in their scopes; callers under the same policies share one table', async () => {
    const builder = createSnapshotBuilder();
    const model = modelOf(await resourcesOf(resiliency('[web]')));
    const table = (instance: Instance) => resource(builder.build(model, envoyOf(instance)), 'route', 'outbound');
    expect(table(job)).toBe(table(orders));
    expect(table(web)?.version).not.toBe(table(job)?.version);
    expect(table(job)?.version).toBe(
      resource(createSnapshotBuilder().build(modelOf(NO_RESOURCES), envoyOf(job)), 'route', 'outbound')?.version,
    );
  });

  it('read again with the same content keep every object', async () => {
    const builder = createSnapshotBuilder();
    const text = route('[{ backendRefs: [{ name: orders }, { name: nobody }] }]');
    const first = builder.build(modelOf(await resourcesOf(text)), envoyOf(web));
    const again = builder.build(modelOf(await resourcesOf(text)), envoyOf(web));
    for (const type of ['cluster', 'endpoint', 'route', 'listener'] as const)
      expect(again?.get(resourceTypes[type])).toBe(first?.get(resourceTypes[type]));
  });

  it('come out the same step by step as all at once', async () => {
    const builder = createSnapshotBuilder();
    const both = (weight: number) =>
      `${route('[{ timeouts: { request: 1s } }]', 'job')}---${route(`[{ backendRefs: [{ name: orders, weight: ${weight} }] }]`)}`;
    builder.build(modelOf(await resourcesOf(both(1))), envoyOf(web));
    const next = builder.build(modelOf(await resourcesOf(both(2))), envoyOf(web));
    expect(resource(next, 'route', 'outbound')).toBeDefined();
    const fresh = createSnapshotBuilder().build(modelOf(await resourcesOf(both(2))), envoyOf(web));
    expect(changed(fresh, next)).toEqual([]);
  });

  it('keep a place for a backend that is not there, which fills when it comes', async () => {
    const builder = createSnapshotBuilder();
    const set = await resourcesOf(route('[{ backendRefs: [{ name: late }] }]'));
    const before = builder.build(modelOf(set), envoyOf(web));
    expect(resource(before, 'endpoint', 'app|default|late')?.describe()).toEqual({ clusterName: 'app|default|late' });
    const late = instanceOf({ appId: 'late', address: '10.0.0.9' });
    const after = builder.build(modelOf(set, [...all, late]), envoyOf(web));
    expect(changed(before, after)).toEqual(['ClusterLoadAssignment app|default|late', 'RouteConfiguration outbound']);
  });
});

describe('the memo', () => {
  it('keeps what is asked for, and forgets what was not asked for between two sweeps', () => {
    const memo = createMemo<number>();
    let made = 0;
    const get = (key: string, identity = same) => memo.get([identity], key, () => (made += 1));
    const same = {};
    expect([get('a'), get('a'), get('b')]).toEqual([1, 1, 2]);
    memo.sweep();
    expect(get('a')).toBe(1);
    memo.sweep();
    expect(get('b')).toBe(3);
    expect(get('b', {})).toBe(4);
  });
});
