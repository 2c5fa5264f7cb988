import { appKey, type Instance } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import type { NodeIdentity } from '../model/names.js';
import { LayeredMap, type Resources } from './layered-map.js';
import { named, stable } from './named.js';
import type { Snapshot } from './resource.js';
import { resourceTypes } from './resource-types.js';
import { createServiceBuilder } from './service-resources.js';
import { createSharedBuilder, nodeEndpoints, type SharedResources } from './shared-resources.js';
import { localClusters } from './translate/cluster.js';
import { listeners } from './translate/listener.js';
import { inboundRoutes } from './translate/route.js';

export interface SnapshotBuilder {
  /**
   * @returns everything that `node` may ask for; undefined: its instance is not in the model. A type whose content is as it was is the
   * same Map object as in the node's last snapshot, and what nodes share is the same object in all of theirs (see {@link LayeredMap}).
   */
  build(model: MeshModel, node: NodeIdentity): Snapshot | undefined;
}

interface NodeParts {
  readonly instance: Instance;
  readonly clusters: Resources;
  readonly listeners: Resources;
  readonly routes: Resources;
}

/**
 * Models to snapshots. What all nodes of a namespace share is translated and encoded once per model, and only where its inputs changed;
 * a node costs its own handful of resources, and nothing while its instance stays as it is.
 */
export function createSnapshotBuilder(): SnapshotBuilder {
  const shared = createSharedBuilder();
  const service = createServiceBuilder();
  const nodes = new Map<string, NodeParts>();
  const last = new Map<string, Snapshot>();
  let current: MeshModel | undefined;
  let byId = new Map<string, Instance>();

  const adopt = (model: MeshModel) => {
    if (model === current) return;
    current = model;
    byId = new Map(model.instances.map((instance) => [instance.instanceId, instance]));
    for (const id of nodes.keys()) if (!byId.has(id)) nodes.delete(id);
    for (const [key] of last) if (!byId.has(key.slice(key.indexOf(' ') + 1))) last.delete(key);
  };

  const partsOf = (instance: Instance): NodeParts => {
    const known = nodes.get(instance.instanceId);
    if (known?.instance === instance) return known;
    const parts: NodeParts = {
      instance,
      clusters: stable(known?.clusters, named(localClusters(instance))),
      listeners: stable(known?.listeners, named(listeners(instance))),
      routes: stable(known?.routes, named([inboundRoutes(instance)])),
    };
    nodes.set(instance.instanceId, parts);
    return parts;
  };

  return {
    build(model, node) {
      adopt(model);
      const instance = byId.get(node.instanceId);
      if (!instance || appKey(instance) !== appKey(node)) return undefined;
      const key = `${node.role} ${node.instanceId}`;
      const before = last.get(key);
      const snapshot =
        node.role === 'envoy'
          ? envoySnapshot(partsOf(instance), shared.forNamespace(model, instance.namespace), before)
          : service.build(model, instance, before);
      last.set(key, snapshot);
      return snapshot;
    },
  };
}

function envoySnapshot(parts: NodeParts, shared: SharedResources, before: Snapshot | undefined): Snapshot {
  const endpoints = stable(
    (before?.get(resourceTypes.endpoint) as LayeredMap | undefined)?.own,
    named(nodeEndpoints(parts.instance, shared)),
  );
  const layer = (
    type: keyof typeof resourceTypes,
    base: Resources,
    own: Resources,
  ): [(typeof resourceTypes)[typeof type], Resources] => {
    const url = resourceTypes[type];
    const known = before?.get(url);
    return [url, known instanceof LayeredMap && known.base === base && known.own === own ? known : new LayeredMap(base, own)];
  };
  return new Map([
    layer('cluster', shared.clusters, parts.clusters),
    layer('endpoint', shared.endpoints, endpoints),
    [resourceTypes.listener, parts.listeners],
    layer('route', shared.routes, parts.routes),
  ]);
}
