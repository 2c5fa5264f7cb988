import type { Any } from '../gen/google/protobuf/any.js';
import { appKey, type Instance } from '../model/instance.js';
import type { ActorPlacement } from '../model/mesh-model.js';
import type { MeshProfile } from '../model/mesh-profile.js';
import { type AppRef, refKey } from '../model/traffic/route.js';
import type { AppTraffic, TrafficView } from '../model/traffic/view.js';
import { createMemo } from './memo.js';
import type { Resource } from './resource.js';
import { appClusterResource } from './translate/cluster.js';
import { appEndpoints } from './translate/endpoint.js';
import { type AppRoutes, appRoutes } from './translate/route.js';
import { actorRoutes } from './translate/route-target.js';
import { actorCalls } from './translate/traffic/actor-calls.js';
import { type SteeredApp, steeredRoutes } from './translate/traffic/app-routes.js';
import type { ClusterTraffic } from './translate/traffic/cluster.js';

/** An app as the mesh has it, translated without any policy. */
export interface PlainApp {
  readonly instances: readonly Instance[];
  readonly cluster: Resource;
  readonly endpoints: Resource;
  routes(namespace: string): AppRoutes;
}

/** What the callers under one view get of all apps. */
export interface SteeredResources {
  readonly clusters: readonly Resource[];
  readonly endpoints: readonly Resource[];
  /** The same objects for as long as they say the same. */
  readonly routes: readonly AppRoutes[];
}

export interface SteeredApps {
  apps(view: TrafficView, apps: ReadonlyMap<string, PlainApp>, profile: MeshProfile): SteeredResources;
  /** @returns the routes of each of the view's actor types */
  actors(view: TrafficView, placements: readonly ActorPlacement[]): ReadonlyMap<string, Any>;
  /** Forgets what was not asked for since the last time. */
  sweep(): void;
}

/** Lays policies over apps. An app that no policy speaks of keeps its plain resources, and costs a look. */
export function createSteeredApps(): SteeredApps {
  const clusters = createMemo<Resource>();
  const endpoints = createMemo<Resource>();
  const tables = createMemo<AppRoutes>();
  const actorTables = createMemo<Any>();

  const clusterOf = (app: AppRef, view: TrafficView, profile: MeshProfile) => {
    const traffic = clusterTraffic(app, view);
    return clusters.get([profile], JSON.stringify([app, traffic]), () => appClusterResource(app, profile, traffic));
  };
  const endpointsOf = (app: AppRef, instances: readonly Instance[]) =>
    endpoints.get([instances], refKey(app), () => appEndpoints(app, instances));
  const routesOf = (ref: AppRef, traffic: AppTraffic, view: TrafficView, { mtls }: MeshProfile) => {
    const target = { ...ref, viaMesh: mtls === 'defer' };
    const hashes = [target, ...view.backends(traffic)].map((app) => view.backendPolicy(app)?.hash ?? []);
    const signature = JSON.stringify([refKey(target), mtls, view.namespace, traffic, hashes]);
    return tables.get([], signature, () =>
      translateRoutes({ target, traffic, hashFor: (app) => view.backendPolicy(app)?.hash ?? [] }, view.namespace),
    );
  };

  const known = (view: TrafficView, app: PlainApp, profile: MeshProfile) => {
    const target = refOf(app);
    // What an instance is chosen by stands in the routes.
    const hashed = (view.backendPolicy(target)?.hash ?? []).length > 0;
    const traffic = view.app(target) ?? (hashed ? NO_TRAFFIC : undefined);
    return {
      cluster: clusterTraffic(target, view) ? clusterOf(target, view, profile) : app.cluster,
      routes: traffic ? routesOf(target, traffic, view, profile) : app.routes(view.namespace),
    };
  };

  return {
    apps(view, apps, profile) {
      const plain = [...apps.values()];
      // Where its apps run, the other mesh knows.
      const ours = profile.mtls !== 'defer';
      const endpoints = ours ? plain.map((app) => app.endpoints) : [];
      if (view.key === '')
        return {
          clusters: plain.map(({ cluster }) => cluster),
          endpoints,
          routes: plain.map((app) => app.routes(view.namespace)),
        };
      const steered = plain.map((app) => known(view, app, profile));
      const parents = view.parents.filter((parent) => !apps.has(appKey(parent)));
      // Versions, and apps that nobody has seen yet: a cluster without endpoints answers in Dapr's words, and fills when they come.
      const others = otherPlaces(view, plain, parents).filter((place) => !apps.has(refKey(place)));
      return {
        clusters: [...steered.map(({ cluster }) => cluster), ...others.map((place) => clusterOf(place, view, profile))],
        endpoints: [
          ...endpoints,
          ...(ours ? others : []).map((place) => endpointsOf(place, apps.get(appKey(place))?.instances ?? NOBODY)),
        ],
        routes: [
          ...steered.map(({ routes }) => routes),
          ...parents.map((parent) => routesOf(parent, view.app(parent) ?? NO_TRAFFIC, view, profile)),
        ],
      };
    },
    actors: (view, placements) =>
      new Map(
        placements
          .map(({ namespace, actorType }): [string, Any] => {
            const rules = view.actor(actorType);
            const make = () => actorRoutes(namespace, actorType, rules && actorCalls(rules));
            return [actorType, actorTables.get([], JSON.stringify([namespace, actorType, rules]), make)];
          })
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    sweep() {
      for (const memo of [clusters, endpoints, tables, actorTables]) memo.sweep();
    },
  };
}

const NOBODY: readonly Instance[] = [];
const NO_TRAFFIC: AppTraffic = { routes: [], unmatched: { http: 'app', grpc: 'app' } };

/** @returns all places that rules send calls to, and the parents that are no apps yet, each once */
function otherPlaces(view: TrafficView, apps: readonly PlainApp[], parents: readonly AppRef[]): readonly AppRef[] {
  const targets = [...apps.map(refOf), ...parents];
  const places = [...parents, ...targets.flatMap((target) => view.backends(view.app(target)))];
  return [...new Map(places.map((place) => [refKey(place), place])).values()];
}

function refOf({ instances: [first] }: PlainApp): AppRef {
  if (!first) throw new Error('an app has at least one instance');
  return { namespace: first.namespace, appId: first.appId, version: '' };
}

function clusterTraffic(app: AppRef, view: TrafficView): ClusterTraffic | undefined {
  const breaker = view.app(app)?.resiliency?.breaker;
  const policy = view.backendPolicy(app);
  return breaker || policy ? { breaker, policy } : undefined;
}

const translateRoutes = (app: SteeredApp, namespace: string): AppRoutes =>
  appRoutes(app.target, namespace, {
    byPath: (prefix) => steeredRoutes(app, { pathBase: prefix.slice(0, -1), remove: [], grpc: false }),
    byHeader: (remove) => steeredRoutes(app, { pathBase: '', remove, grpc: true }),
  });
