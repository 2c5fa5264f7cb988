import { appKey, type Instance } from '../model/instance.js';
import type { ActorPlacement, MeshModel } from '../model/mesh-model.js';
import type { MeshProfile } from '../model/mesh-profile.js';
import type { TrafficView } from '../model/traffic/view.js';
import { createExternalServices } from './external-services.js';
import type { Resources } from './layered-map.js';
import { named, stable } from './named.js';
import type { Resource } from './resource.js';
import { createSteeredApps } from './steered-apps.js';
import { createTrafficViews } from './traffic-views.js';
import { actorClusterResource, appClusterResource } from './translate/cluster.js';
import { actorEndpoints, appEndpoints, type Viewpoint, ZONE_LABEL } from './translate/endpoint.js';
import { type AppRoutes, appRoutes, outboundRoutes } from './translate/route.js';

/** What all Envoys of one namespace have in common that are under the same policies. */
export interface SharedResources {
  readonly view: TrafficView;
  readonly clusters: Resources;
  readonly endpoints: Resources;
  readonly routes: Resources;
  /** By {@link appKey}. The list is the same object for as long as none of its instances changes. */
  readonly apps: ReadonlyMap<string, { readonly instances: readonly Instance[] }>;
  readonly placements: readonly ActorPlacement[];
  /** True: calls go to another mesh's services and not to instances. */
  readonly viaMesh: boolean;
  /** What `routes` was made of. They name apps and actor types, not instances, so most changes leave them alone. */
  readonly inputs: readonly unknown[];
}

export interface SharedBuilder {
  /** @returns what `instance` shares with all callers in its namespace under the same policies */
  forCaller(model: MeshModel, instance: Instance): SharedResources;
}

/** @returns a builder that translates again only what has changed since the last model */
export function createSharedBuilder(): SharedBuilder {
  const apps = createAppCache();
  const actors = createActorCache();
  const views = createTrafficViews();
  const steered = createSteeredApps();
  const externalServices = createExternalServices();
  let shared = new Map<TrafficView, SharedResources>();
  let before = shared;
  let current: MeshModel | undefined;

  return {
    forCaller(model, instance) {
      if (model !== current) {
        current = model;
        if (shared.size > 0) before = shared;
        shared = new Map();
        apps.adopt(model);
        actors.adopt(model);
        steered.sweep();
      }
      const view = views.of(model, instance);
      const known = shared.get(view);
      if (known) return known;
      const last = before.get(view) ?? [...before.values()].find((it) => it.view.namespace === view.namespace);
      const made = translate(view, model, last);
      shared.set(view, made);
      return made;
    },
  };

  function translate(view: TrafficView, model: MeshModel, last: SharedResources | undefined): SharedResources {
    const placements = model.placements.filter((placement) => placement.namespace === view.namespace);
    const hosted = placements.map((placement) => actors.get(placement)).filter((type) => type !== undefined);
    const known = steered.apps(view, apps.byKey(), model.profile);
    const types = steered.actors(view, placements);
    const external = externalServices(view);
    // As in Dapr, an external service hides an app of the same name.
    const routes = [...known.routes, ...external.routes];
    const { notSent } = view;
    const inputs = [...routes, ...[...types].flat(), ...(notSent ? [JSON.stringify(notSent)] : [])];
    const sameRoutes = last !== undefined && sameItems(last.inputs, inputs);
    return {
      view,
      apps: apps.byKey(),
      placements,
      viaMesh: model.profile.mtls === 'defer',
      clusters: stable(last?.clusters, named([...known.clusters, ...hosted.map((type) => type.cluster), ...external.clusters])),
      endpoints: stable(last?.endpoints, named([...known.endpoints, ...hosted.map((type) => type.endpoints)])),
      inputs,
      routes: sameRoutes ? last.routes : stable(last?.routes, named([outboundRoutes(routes, types, notSent)])),
    };
  }
}

/** The endpoints that one instance's Envoy sees in its own way: those of its own app and of its own actor types. */
export interface NodeEndpoints {
  /** What they were made of, to see whether any of it has changed. */
  readonly inputs: readonly unknown[];
  readonly resources: Resources;
}

/** @returns `before` itself while nothing that concerns this instance has changed */
export function nodeEndpoints(instance: Instance, shared: SharedResources, before?: NodeEndpoints): NodeEndpoints {
  const instances = shared.viaMesh ? NOBODY : (shared.apps.get(appKey(instance))?.instances ?? NOBODY);
  const hosted = shared.placements.filter(({ hosts }) => hosts.some(({ instanceId }) => instanceId === instance.instanceId));
  const near = nearApps(instance, shared);
  const inputs = [instance, instances, ...hosted, ...near];
  if (before && sameItems(before.inputs, inputs)) return before;
  const zone = instance.labels[ZONE_LABEL];
  const resources = [
    ...near.flatMap((app) => endpointsOf(app, { zone })),
    ...(near.includes(instances) ? endpointsOf(instances, { own: instance, zone }) : endpointsOf(instances, { own: instance })),
    ...hosted.map((placement) => actorEndpoints(placement, instance)),
  ];
  return { inputs, resources: stable(before?.resources, named(resources)) };
}

/** @returns the instances of each app whose callers prefer their own zone, if this caller says where it is */
function nearApps(instance: Instance, shared: SharedResources): readonly (readonly Instance[])[] {
  if (shared.viaMesh || shared.view.key === '' || !instance.labels[ZONE_LABEL]) return [];
  return [...shared.apps.values()]
    .filter(({ instances: [first] }) => first && shared.view.backendPolicy(first)?.preferLocal)
    .map(({ instances }) => instances);
}

function endpointsOf(instances: readonly Instance[], from: Viewpoint): Resource[] {
  const [first] = instances;
  return first ? [appEndpoints({ namespace: first.namespace, appId: first.appId, version: '' }, instances, from)] : [];
}

const NOBODY: readonly Instance[] = [];

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
  const app = { namespace: first.namespace, appId: first.appId, version: '' };
  const tables = new Map<string, AppRoutes>();
  const routes = (namespace: string) => {
    const table = tables.get(namespace) ?? appRoutes({ ...app, viaMesh: profile.mtls === 'defer' }, namespace);
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
