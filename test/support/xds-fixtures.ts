import type { NodeIdentity } from '../../src/model/names.js';
import type { Resource, Snapshot, SnapshotSource } from '../../src/xds/resource.js';
import { type ResourceTypeName, resourceTypes } from '../../src/xds/resource-types.js';

/** @returns a resource whose bytes say its name and version: the protocol does not look into it */
export function resourceOf(name: string, version: string): Resource {
  return { name, version, bytes: Buffer.from(`${name}@${version}`), describe: () => ({ name, version }) };
}

/** @returns resources by name, from `{ name: version }` */
export function resourcesOf(versions: Readonly<Record<string, string>>): ReadonlyMap<string, Resource> {
  return new Map(Object.entries(versions).map(([name, version]) => [name, resourceOf(name, version)]));
}

export type SnapshotSpec = Partial<Record<ResourceTypeName, Readonly<Record<string, string>>>>;

/** @returns a snapshot of made-up resources */
export function snapshotOf(spec: SnapshotSpec): Snapshot {
  return new Map(
    Object.entries(spec).map(([type, versions]) => [resourceTypes[type as ResourceTypeName], resourcesOf(versions)]),
  );
}

export interface TestSource extends SnapshotSource {
  set(snapshot: Snapshot | undefined): void;
  setSettling(on: boolean): void;
}

/** A source with the same snapshot for every node. */
export function createTestSource(first?: Snapshot): TestSource {
  let snapshot = first;
  let settling = false;
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of listeners) listener();
  };
  return {
    snapshot: () => snapshot,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settling: () => settling,
    set(next) {
      snapshot = next;
      notify();
    },
    setSettling(on) {
      settling = on;
      notify();
    },
  };
}

export const testNode: NodeIdentity = { role: 'envoy', namespace: 'default', appId: 'orders', instanceId: 'orders-1' };
