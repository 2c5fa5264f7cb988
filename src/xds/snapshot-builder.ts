import { appKey, type Instance } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import type { NodeIdentity } from '../model/names.js';
import { LayeredMap, type Resources } from './layered-map.js';
import { named, stable } from './named.js';
import type { Resource, Snapshot } from './resource.js';
import { type ResourceTypeName, resourceTypes } from './resource-types.js';
import { createServiceBuilder } from './service-resources.js';
import { createSettledRoutes } from './settled-routes.js';
import { createSharedBuilder, type NodeEndpoints, nodeEndpoints, type SharedResources } from './shared-resources.js';
import { type AppSettings, appSettings } from './translate/app-settings.js';
import { localClusters } from './translate/cluster.js';
import { filterClusters } from './translate/filters/index.js';
import { listeners } from './translate/listener.js';
import { inboundRoutes } from './translate/route.js';
import { tracedClusters } from './translate/traced-calls.js';
import { spanClusters } from './translate/tracing.js';

export interface SnapshotBuilder {
  /**
   * @returns everything that `node` may ask for; undefined: its instance is not in the model. A type whose content is as it was is the
   * same Map object as in the node's last snapshot, and what nodes share is the same object in all of theirs (see {@link LayeredMap}).
   */
  build(model: MeshModel, node: NodeIdentity): Snapshot | undefined;
}

/** What is kept of one instance from model to model. */
interface NodeState {
  readonly envoy?: EnvoyParts;
  readonly snapshots: Readonly<Partial<Record<NodeIdentity['role'], Snapshot>>>;
}

interface Surroundings {
  readonly settings: AppSettings;
  readonly shared: SharedResources;
}

interface EnvoyParts {
  readonly instance: Instance;
  readonly settings: AppSettings;
  /** What filters call or have called: calls that came in on a listener that is replaced by now pass its old filters. */
  readonly called: readonly Resource[];
  readonly clusters: Resources;
  readonly listeners: Resources;
  readonly routes: Resources;
  readonly endpoints: NodeEndpoints;
}

/**
 * Models to snapshots. What all nodes of a namespace share is translated and encoded once per model, and only where its inputs changed;
 * a node costs its own handful of resources, and nothing while its instance stays as it is.
 */
export function createSnapshotBuilder(): SnapshotBuilder {
  const shared = createSharedBuilder();
  const service = createServiceBuilder();
  const settled = createSettledRoutes();
  const nodes = new Map<string, NodeState>();
  let current: MeshModel | undefined;
  let byId = new Map<string, Instance>();

  const adopt = (model: MeshModel) => {
    if (model === current) return;
    current = model;
    byId = new Map(model.instances.map((instance) => [instance.instanceId, instance]));
    for (const id of nodes.keys()) if (!byId.has(id)) nodes.delete(id);
  };

  return {
    build(model, node) {
      adopt(model);
      const instance = byId.get(node.instanceId);
      if (!instance || appKey(instance) !== appKey(node)) return undefined;
      const before = nodes.get(node.instanceId);
      let envoy = before?.envoy;
      let snapshot: Snapshot;
      if (node.role === 'envoy') {
        const common = shared.forCaller(model, instance);
        const settings = appSettings(model, instance, before?.envoy?.settings);
        envoy = envoyParts(instance, { settings, shared: common }, before?.envoy);
        const routes = settled(common.routes, instance, settings);
        snapshot = envoySnapshot(envoy, { ...common, routes }, before?.snapshots.envoy);
      } else snapshot = service.build(model, instance, before?.snapshots.service);
      nodes.set(node.instanceId, { envoy, snapshots: { ...before?.snapshots, [node.role]: snapshot } });
      return snapshot;
    },
  };
}

function envoyParts(instance: Instance, { settings, shared }: Surroundings, before: EnvoyParts | undefined): EnvoyParts {
  const endpoints = nodeEndpoints(instance, shared, before?.endpoints);
  if (before?.instance === instance && before.settings === settings)
    return before.endpoints === endpoints ? before : { ...before, endpoints };
  const called = withEarlier(filterClusters(instance, settings), before?.called ?? []);
  return {
    instance,
    settings,
    endpoints,
    called,
    clusters: stable(
      before?.clusters,
      named([...localClusters(instance), ...called, ...spanClusters(instance, settings), ...tracedClusters(instance, settings)]),
    ),
    listeners: stable(before?.listeners, named(listeners(instance, settings))),
    routes: stable(before?.routes, named(inboundRoutes(instance, settings))),
  };
}

/** Of those that nothing names any more. */
const MOST_EARLIER = 16;

/** @returns `now`, and the newest of those before that are not among them */
function withEarlier(now: readonly Resource[], before: readonly Resource[]): readonly Resource[] {
  const names = new Set(now.map(({ name }) => name));
  return [...now, ...before.filter(({ name }) => !names.has(name)).slice(0, MOST_EARLIER)];
}

function envoySnapshot(parts: EnvoyParts, shared: SharedResources, before: Snapshot | undefined): Snapshot {
  const layer = (type: ResourceTypeName, base: Resources, own: Resources) => {
    const known = before?.get(resourceTypes[type]);
    const same = known instanceof LayeredMap && known.base === base && known.own === own;
    return [resourceTypes[type], same ? known : new LayeredMap(base, own)] as const;
  };
  return new Map([
    layer('cluster', shared.clusters, parts.clusters),
    layer('endpoint', shared.endpoints, parts.endpoints.resources),
    [resourceTypes.listener, parts.listeners],
    layer('route', shared.routes, parts.routes),
  ]);
}
