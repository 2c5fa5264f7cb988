import { describe, expect, it } from 'vitest';
import type { Instance } from '../../../src/model/instance.js';
import type { ActorPlacement, Component } from '../../../src/model/mesh-model.js';
import { actorCluster, appCluster, LISTENERS, type NodeRole, ROUTES } from '../../../src/model/names.js';
import { embeddedDefaults } from '../../../src/model/resources/index.js';
import type { LayeredMap } from '../../../src/xds/layered-map.js';
import type { Snapshot } from '../../../src/xds/resource.js';
import { type ResourceTypeName, resourceTypes } from '../../../src/xds/resource-types.js';
import { createSnapshotBuilder } from '../../../src/xds/snapshot-builder.js';
import { instanceOf, modelOf } from '../../support/model.js';

const orders = instanceOf({ appId: 'orders' });
const checkout = instanceOf({ appId: 'checkout', address: '10.0.0.2' });
const pay = instanceOf({ appId: 'pay', namespace: 'prod', address: '10.0.0.3' });
const all = [checkout, orders, pay];
const counter: ActorPlacement = {
  namespace: 'default',
  actorType: 'Counter',
  generation: 1,
  hosts: [{ instanceId: 'orders', appId: 'orders', address: '10.0.0.1', port: 7000 }],
};

const node = (instance: Instance, role: NodeRole = 'envoy') => ({ role, ...instance });
const build = (instances: readonly Instance[], of: Instance, placements: readonly ActorPlacement[] = []) =>
  createSnapshotBuilder().build(modelOf(instances, placements), node(of)) as Snapshot;
const versions = (snapshot: Snapshot) =>
  Object.fromEntries(
    [...snapshot].map(([url, resources]) => [url, [...resources.values()].map((it) => `${it.name} ${it.version}`).sort()]),
  );
const namesOf = (snapshot: Snapshot, type: ResourceTypeName) => [...(snapshot.get(resourceTypes[type])?.keys() ?? [])].sort();
const changed = (before: Snapshot, after: Snapshot) => {
  const old = versions(before);
  return Object.entries(versions(after)).flatMap(([url, list]) =>
    list.filter((it) => !old[url]?.includes(it)).map((it) => it.split(' ')[0]),
  );
};

describe('a snapshot', () => {
  it('holds every app, the node’s own clusters, its listeners and its routes', () => {
    const snapshot = build(all, orders, [counter]);
    expect(namesOf(snapshot, 'cluster')).toEqual([
      actorCluster('default', 'Counter'),
      appCluster('default', 'checkout'),
      appCluster('default', 'orders'),
      appCluster('prod', 'pay'),
      'local|app',
      'local|service-grpc',
      'local|service-http',
    ]);
    const { apiGrpc, apiHttp, inbound, loopback, self } = LISTENERS;
    expect(namesOf(snapshot, 'listener')).toEqual([apiGrpc, apiHttp, inbound, loopback, self]);
    expect(namesOf(snapshot, 'route')).toEqual([ROUTES.inbound, ROUTES.outbound]);
    expect(namesOf(snapshot, 'endpoint')).toEqual(namesOf(snapshot, 'cluster').filter((name) => !name.startsWith('local|')));
  });

  it('is there only for an instance that is attached, under its own app', () => {
    const builder = createSnapshotBuilder();
    const model = modelOf(all);
    expect(builder.build(model, node({ ...orders, instanceId: 'other' }))).toBeUndefined();
    expect(builder.build(model, node({ ...orders, appId: 'checkout' }))).toBeUndefined();
    expect(builder.build(model, node({ ...orders, namespace: 'prod' }))).toBeUndefined();
  });

  it('has no API listener on the service door, and nothing inbound without an app', () => {
    const plain = { ...checkout, apiDoor: 'service', appPort: 0 };
    const snapshot = build([plain], plain);
    expect(namesOf(snapshot, 'listener')).toEqual([LISTENERS.loopback]);
    expect(namesOf(snapshot, 'route')).toEqual([ROUTES.outbound]);
    expect(namesOf(snapshot, 'cluster')).not.toContain('local|app');
  });

  it('has actor types of the node’s own namespace only', () => {
    expect(namesOf(build(all, pay, [counter]), 'cluster')).not.toContain(actorCluster('default', 'Counter'));
  });
});

describe('versions', () => {
  it('do not depend on the order of the model', () => {
    const two = instanceOf({ appId: 'orders', instanceId: 'orders-2', address: '10.0.0.9' });
    const hosts = [...counter.hosts, { instanceId: 'orders-2', appId: 'orders', address: '10.0.0.9', port: 7000 }];
    const other = { ...counter, actorType: 'Player' };
    const one = build([...all, two], checkout, [{ ...counter, hosts }, other]);
    const shuffled = build([two, pay, orders, checkout], checkout, [other, { ...counter, hosts: [...hosts].reverse() }]);
    expect(versions(shuffled)).toEqual(versions(one));
  });

  it('are the same in every process', () => {
    expect(versions(build(all, orders, [counter]))).toEqual(
      versions(build(structuredClone(all), structuredClone(orders), [counter])),
    );
  });
});

describe('a change', () => {
  const sequence = (of: Instance) => {
    const builder = createSnapshotBuilder();
    return (instances: readonly Instance[], placements: readonly ActorPlacement[] = []) =>
      builder.build(modelOf(instances, placements), node(of)) as Snapshot;
  };

  it('that concerns nobody else pushes nothing: the very same maps', () => {
    const next = sequence(checkout);
    const before = next(all, [counter]);
    const relabelled = { ...orders, labels: { version: '2' }, command: 'python app.py' };
    const after = next([checkout, relabelled, pay], [counter]);
    for (const [url, resources] of after) expect(resources).toBe(before.get(url));
  });

  it('of one instance changes its app’s endpoints and nothing else', () => {
    const next = sequence(checkout);
    const before = next(all, [counter]);
    const after = next([checkout, { ...orders, lease: 'lost' }, pay], [counter]);
    expect(changed(before, after)).toEqual([appCluster('default', 'orders')]);
    for (const type of ['cluster', 'listener', 'route'] as const)
      expect(after.get(resourceTypes[type])).toBe(before.get(resourceTypes[type]));
  });

  it('of a host changes its actor type’s endpoints and nothing else', () => {
    const next = sequence(checkout);
    const before = next(all, [counter]);
    const moved = { ...counter, generation: 2, hosts: [{ instanceId: 'pay', appId: 'pay', address: '10.0.0.3', port: 7000 }] };
    expect(changed(before, next(all, [moved]))).toEqual([actorCluster('default', 'Counter')]);
  });

  it('that adds an app adds its cluster and endpoints, and changes the one route table', () => {
    const next = sequence(checkout);
    const before = next(all);
    const after = next([...all, instanceOf({ appId: 'stock' })]);
    expect(changed(before, after)).toEqual([appCluster('default', 'stock'), appCluster('default', 'stock'), ROUTES.outbound]);
  });

  it('that removes the last instance of an app removes all of it', () => {
    const next = sequence(checkout);
    next(all);
    expect(namesOf(next([checkout, pay]), 'cluster')).not.toContain(appCluster('default', 'orders'));
  });
});

describe('what nodes share', () => {
  it('is one object for all of them: only their own app and listeners are theirs', () => {
    const builder = createSnapshotBuilder();
    const model = modelOf(all, [counter]);
    const [one, two] = [orders, checkout].map((it) => builder.build(model, node(it)) as Snapshot) as [Snapshot, Snapshot];
    for (const type of ['cluster', 'endpoint', 'route'] as const) {
      const [a, b] = [one, two].map((snapshot) => snapshot.get(resourceTypes[type]) as LayeredMap) as [LayeredMap, LayeredMap];
      expect(a.base).toBe(b.base);
    }
    const table = (snapshot: Snapshot) => snapshot.get(resourceTypes.route)?.get(ROUTES.outbound);
    expect(table(one)).toBe(table(two));
  });

  it('is overlaid by what is the node’s own', () => {
    const snapshot = build(all, orders);
    const endpoints = snapshot.get(resourceTypes.endpoint);
    expect(JSON.stringify(endpoints?.get(appCluster('default', 'orders'))?.describe())).toContain('/run/weft/orders/self.sock');
    expect([...(endpoints?.keys() ?? [])].length).toBe(endpoints?.size);
    expect(new Map(endpoints).get(appCluster('default', 'orders'))).toBe(endpoints?.get(appCluster('default', 'orders')));
  });
});

describe('the filter service', () => {
  const secret: Component = {
    ...(embeddedDefaults().components[0] as Component),
    metadata: [
      { name: 'password', from: { $case: 'value', value: 'hunter2' } },
      { name: 'key', from: { $case: 'secretKeyRef', value: { name: 'redis', key: 'key' } } },
    ],
  };
  const model = modelOf(all, [counter], { ...embeddedDefaults(), components: [secret] });
  const snapshot = createSnapshotBuilder().build(model, node(orders, 'service')) as Snapshot;

  it('gets configuration, components, subscriptions and placements, and nothing of Envoy’s', () => {
    expect([...snapshot.keys()]).toEqual(
      (
        ['configuration', 'resiliency', 'component', 'actorResiliency', 'externalEndpoint', 'subscription', 'placement'] as const
      ).map((type) => resourceTypes[type]),
    );
    expect(namesOf(snapshot, 'configuration')).toEqual(['default/orders']);
    expect(namesOf(snapshot, 'component')).toEqual(['default/statestore']);
    expect(namesOf(snapshot, 'placement')).toEqual(['default/Counter']);
  });

  it('gets the values, but nobody is shown them', () => {
    const resource = snapshot.get(resourceTypes.component)?.get('default/statestore');
    expect(resource?.bytes.includes('hunter2')).toBe(true);
    expect(JSON.stringify(resource?.describe())).not.toContain('hunter2');
    expect(JSON.stringify(resource?.describe())).toContain('(redacted)');
  });

  it('gets the component of its own namespace before one of all namespaces', () => {
    const own = { ...secret, namespace: 'default', type: 'state.in-memory' };
    for (const components of [
      [own, secret],
      [secret, own],
    ]) {
      const built = createSnapshotBuilder().build(
        modelOf(all, [], { ...embeddedDefaults(), components }),
        node(orders, 'service'),
      );
      expect(built?.get(resourceTypes.component)?.get('default/statestore')?.describe()).toMatchObject({
        type: 'state.in-memory',
      });
    }
  });
});
