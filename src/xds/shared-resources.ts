import { appKey, type Instance } from '../model/instance.js';
import type { ActorPlacement, MeshModel } from '../model/mesh-model.js';
import type { MeshProfile } from '../model/mesh-profile.js';
import type { Resources } from './layered-map.js';
import { named, stable } from './named.js';
import type { Resource } from './resource.js';
import { actorClusterResource, appClusterResource } from './translate/cluster.js';
import { actorEndpoints, appEndpoints } from './translate/endpoint.js';
import { type AppRoutes, appRoutes, outboundRoutes } from './translate/route.js';

/** What all Envoys of one namespace have in common. */
export interface SharedResources {
  readonly clusters: Resources;
  readonly endpoints: Resources;
  readonly routes: Resources;
  /** By {@link appKey}. The list is the same object for as long as none of its instances changes. */
  readonly apps: ReadonlyMap<string, { readonly instances: readonly Instance[] }>;
  readonly placements: readonly ActorPlacement[];
}

export interface SharedBuilder {
  forNamespace(model: MeshModel, namespace: string): SharedResources;
}

/** @returns a builder that translates again only what has changed since the last model */
export function createSharedBuilder(): SharedBuilder {
  const apps = createAppCache();
  const actors = createActorCache();
  const tables = createRouteTables();
  const namespaces = new Map<string, SharedResources>();
  let current: MeshModel | undefined;
  let fresh = new Set<string>();

  return {
    forNamespace(model, namespace) {
      if (model !== current) {
        current = model;
        fresh = new Set();
        apps.adopt(model);
        actors.adopt(model);
        for (const known of namespaces.keys())
          if (!model.instances.some((it) => it.namespace === known)) namespaces.delete(known);
      }
      const before = namespaces.get(namespace);
      if (before && fresh.has(namespace)) return before;
      fresh.add(namespace);
      const placements = model.placements.filter((placement) => placement.namespace === namespace);
      const hosted = placements.map((placement) => actors.get(placement)).filter((type) => type !== undefined);
      const known = [...apps.all()];
      const shared: SharedResources = {
        apps: apps.byKey(),
        placements,
        clusters: stable(before?.clusters, named([...known.map((app) => app.cluster), ...hosted.map((type) => type.cluster)])),
        endpoints: stable(
          before?.endpoints,
          named([...known.map((app) => app.endpoints), ...hosted.map((type) => type.endpoints)]),
        ),
        routes: tables.forNamespace(namespace, known, placements),
      };
      namespaces.set(namespace, shared);
      return shared;
    },
  };
}

/** The endpoints that one instance's Envoy sees in its own way: those of its own app and of its own actor types. */
export interface NodeEndpoints {
  /** What they were made of, to see whether any of it has changed. */
  readonly inputs: readonly unknown[];
  readonly resources: Resources;
}

/** @returns `before` itself while nothing that concerns this instance has changed */
export function nodeEndpoints(instance: Instance, shared: SharedResources, before?: NodeEndpoints): NodeEndpoints {
  const instances = shared.apps.get(appKey(instance))?.instances ?? [];
  const hosted = shared.placements.filter(({ hosts }) => hosts.some(({ instanceId }) => instanceId === instance.instanceId));
  const inputs = [instance, instances, ...hosted];
  if (before && sameItems(before.inputs, inputs)) return before;
  const resources = [
    appEndpoints(instance, instances, instance),
    ...hosted.map((placement) => actorEndpoints(placement, instance)),
  ];
  return { inputs, resources: stable(before?.resources, named(resources)) };
}

/** Route tables by namespace. They name apps and actor types, not instances, so most changes leave them alone. */
function createRouteTables() {
  const known = new Map<string, { readonly inputs: readonly unknown[]; readonly routes: Resources }>();
  return {
    forNamespace(namespace: string, apps: readonly KnownApp[], placements: readonly ActorPlacement[]): Resources {
      const types = placements.map((placement) => placement.actorType).sort();
      const inputs = [...apps.map((app) => app.routes), ...types];
      const before = known.get(namespace);
      if (before && sameItems(before.inputs, inputs)) return before.routes;
      const table = outboundRoutes(
        namespace,
        apps.map((app) => app.routes(namespace)),
        types,
      );
      const routes = stable(before?.routes, named([table]));
      known.set(namespace, { inputs, routes });
      return routes;
    },
  };
}

interface KnownApp {
  readonly instances: readonly Instance[];
  readonly profile: MeshProfile;
  readonly cluster: Resource;
  readonly endpoints: Resource;
  routes(namespace: string): AppRoutes;
}

/** Apps by key, sorted by it; an app whose instances are the same objects as before stays the same object. */
function createAppCache() {
  let known = new Map<string, KnownApp>();
  return {
    all: () => known.values(),
    byKey: (): ReadonlyMap<string, KnownApp> => known,
    adopt(model: MeshModel) {
      const groups = new Map<string, Instance[]>();
      for (const instance of model.instances) {
        const key = appKey(instance);
        const group = groups.get(key);
        if (group) group.push(instance);
        else groups.set(key, [instance]);
      }
      const next = new Map<string, KnownApp>();
      for (const [key, instances] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
        next.set(key, renewApp(known.get(key), instances, model.profile));
      known = next;
    },
  };
}

function renewApp(before: KnownApp | undefined, instances: readonly Instance[], profile: MeshProfile): KnownApp {
  const sameProfile = before?.profile === profile;
  if (before && sameProfile && sameItems(before.instances, instances)) return before;
  const [first] = instances;
  if (!first) throw new Error('an app has at least one instance');
  const app = { namespace: first.namespace, appId: first.appId };
  const tables = new Map<string, AppRoutes>();
  const routes = (namespace: string) => {
    const table = tables.get(namespace) ?? appRoutes(app, namespace);
    tables.set(namespace, table);
    return table;
  };
  const fresh = appEndpoints(app, instances);
  return {
    instances,
    profile,
    cluster: before && sameProfile ? before.cluster : appClusterResource(app, profile),
    endpoints: before?.endpoints.version === fresh.version ? before.endpoints : fresh,
    routes: before?.routes ?? routes,
  };
}

const sameItems = <T>(a: readonly T[], b: readonly T[]) => a.length === b.length && a.every((item, index) => item === b[index]);

interface KnownActorType {
  readonly cluster: Resource;
  readonly endpoints: Resource;
}

/** Actor types by placement object: the control plane makes a new one for every generation. */
function createActorCache() {
  let known = new Map<ActorPlacement, KnownActorType>();
  let profile: MeshProfile | undefined;
  const translate = (placement: ActorPlacement, under: MeshProfile): KnownActorType => ({
    cluster: actorClusterResource(placement, under),
    endpoints: actorEndpoints(placement),
  });
  return {
    adopt(model: MeshModel) {
      if (profile !== model.profile) known.clear();
      profile = model.profile;
      known = new Map(
        model.placements.map((placement) => [placement, known.get(placement) ?? translate(placement, model.profile)]),
      );
    },
    get: (placement: ActorPlacement): KnownActorType | undefined => known.get(placement),
  };
}
