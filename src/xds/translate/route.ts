import type { HeaderValueOption } from '../../gen/envoy/config/core/v3/base.js';
import { RouteConfiguration } from '../../gen/envoy/config/route/v3/route.js';
import { Route, type VirtualCluster } from '../../gen/envoy/config/route/v3/route_components.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import type { Matcher, Matcher_OnMatch } from '../../gen/xds/type/matcher/v3/matcher.js';
import { type Instance, isGrpcApp } from '../../model/instance.js';
import { HEADERS, LOCAL_APP_CLUSTER, ROUTES, SERVICE_HTTP_CLUSTER, TO_SELF } from '../../model/names.js';
import type { RetryTimes } from '../../model/traffic/built-in-retries.js';
import type { Resource } from '../resource.js';
import { messageTypes } from './any.js';
import type { AppSettings } from './app-settings.js';
import { FORWARDED, FORWARDED_BEFORE } from './early-headers.js';
import { act, byPrefix, byValue, whenHeaders } from './matcher.js';
import { makeResource } from './resource.js';
import { notSentRetry } from './retry.js';
import {
  API_HEADERS,
  type AppTarget,
  headerRoute,
  invokeRoute,
  NO_TIMEOUT,
  serviceGrpcRoute,
  serviceHttpRoute,
  untargetedRoutes,
} from './route-target.js';
import { arrivingApart } from './traced-calls.js';
import { overwrite } from './values.js';
import { virtualClusters } from './virtual-clusters.js';

/** Under these paths is the sidecar's own API. */
export const API_VERSIONS = ['/v1.0/', '/v1.0-alpha1/', '/v1.0-alpha2/', '/v1.0-beta1/'];
const API_GRPC = [
  '/dapr.proto.runtime.v1.Dapr/',
  '/grpc.reflection.v1.ServerReflection/',
  '/grpc.reflection.v1alpha.ServerReflection/',
];

/** The ways to name one app from within one namespace, ready to be put into the table. Kept as long as the app is known. */
export interface AppRoutes {
  readonly byPath: ReadonlyMap<string, Any>;
  readonly byAppId: ReadonlyMap<string, Any>;
  readonly byBasicAuth: ReadonlyMap<string, Any>;
}

/** What a call to an app ends at, by the way that it names the app. */
export interface RouteMaker {
  /** @param prefix what stands before the method's path, with the slash between them */
  byPath(prefix: string): Any;
  /** @param remove headers that have done their work */
  byHeader(remove: readonly string[]): Any;
}

const straight = (target: AppTarget): RouteMaker => ({
  byPath: (prefix) => invokeRoute(target, prefix),
  byHeader: (remove) => headerRoute(target, remove),
});

/** @returns every address of `target` for callers in `namespace`: `app` at home, `app.ns` everywhere */
export function appRoutes(target: AppTarget, namespace: string, make: RouteMaker = straight(target)): AppRoutes {
  const qualified = `${target.appId}.${target.namespace}`;
  const keys = target.namespace === namespace ? [target.appId, qualified] : [qualified];
  const byHeader = make.byHeader([]);
  const byAuth = make.byHeader(['authorization']);
  return {
    byPath: new Map(keys.map((key) => `/v1.0/invoke/${key}/method/`).map((prefix) => [prefix, make.byPath(prefix)])),
    byAppId: new Map(keys.map((key) => [key, byHeader])),
    byBasicAuth: new Map(keys.map((key) => [`Basic ${Buffer.from(`dapr-app-id:${key}`).toString('base64')}`, byAuth])),
  };
}

/**
 * @param actors the routes of each actor type
 * @param notSent how often and when what never reached an app is tried again, if somebody says so
 * @returns the one table for everything that apps of a namespace call; the same for every node there that has the same policies
 */
export function outboundRoutes(
  apps: Iterable<AppRoutes>,
  actors: ReadonlyMap<string, Any>,
  notSent?: RetryTimes | undefined,
): Resource {
  const paths = new Map<string, Matcher_OnMatch>(API_VERSIONS.map((prefix) => [prefix, act(serviceHttpRoute)]));
  for (const prefix of API_GRPC) paths.set(prefix, act(serviceGrpcRoute));
  const appIds = new Map<string, Matcher_OnMatch>();
  const basicAuth = new Map<string, Matcher_OnMatch>();
  for (const app of apps) {
    for (const [prefix, route] of app.byPath) paths.set(prefix, act(route));
    for (const [key, route] of app.byAppId) appIds.set(key, act(route));
    for (const [key, route] of app.byBasicAuth) basicAuth.set(key, act(route));
  }
  for (const [type, routes] of actors) paths.set(actorPrefix(type), act(routes));
  const byPath = byPrefix(':path', paths, byHeaders(appIds, basicAuth));
  return makeRoutes(ROUTES.outbound, { matcher: byPath, routes: [], notSent });
}

/** As the type stands in a normalised path. */
const actorPrefix = (type: string) => `/v1.0/actors/${encodeURIComponent(type)}/`;

/**
 * gRPC looks at dapr-callee-app-id first (reference §3.12). HTTP must not: an app that hands on the headers of the call it got has its
 * own name there.
 */
function byHeaders(
  appIds: ReadonlyMap<string, Matcher_OnMatch>,
  basicAuth: ReadonlyMap<string, Matcher_OnMatch>,
): Matcher_OnMatch {
  const nobody = act(untargetedRoutes);
  const byAppId = byValue('dapr-app-id', appIds, byValue('authorization', basicAuth, nobody));
  const byCallee = byValue('dapr-callee-app-id', appIds, nobody);
  return whenHeaders({ 'content-type': 'application/grpc', 'dapr-callee-app-id': '' }, byCallee, byAppId);
}

/**
 * @returns what happens to a call that arrives for this instance, on the inbound and the self listener alike, and to those of them that are
 * recorded, where they go apart
 */
export function inboundRoutes(instance: Instance, settings: AppSettings): readonly Resource[] {
  if (instance.appPort === 0) return [];
  const apart = arrivingApart(instance, settings);
  const table = makeRoutes(ROUTES.inbound, {
    routes: [...apart, ...arriving(instance, FORWARDED)],
    virtualClusters: virtualClusters(settings.spec, 'inbound'),
  });
  if (!settings.hadTracesApart) return [table];
  const remove = [HEADERS.peer, HEADERS.forwarded];
  return [table, makeRoutes(ROUTES.tracedInbound, { routes: arriving(instance, FORWARDED_BEFORE), remove })];
}

function arriving(instance: Instance, origin: readonly HeaderValueOption[]): Route[] {
  const host = `${instance.appAddress || '127.0.0.1'}:${instance.appPort}`;
  // The app's own token has taken the place of whatever was sent under that name.
  const ownToken = Boolean(instance.localFiles?.appTokenFilter);
  const isGrpc = isGrpcApp(instance);
  // For an HTTP app the listener has added them (early-headers.ts).
  const forwarded = isGrpc ? origin : [];
  const all = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;
  const service = { clusterSpecifier: { $case: 'cluster', value: SERVICE_HTTP_CLUSTER } as const, timeout: NO_TIMEOUT };
  const app = {
    clusterSpecifier: { $case: 'cluster', value: LOCAL_APP_CLUSTER } as const,
    timeout: NO_TIMEOUT,
    // As Dapr: the app is addressed by its own address. Many frameworks refuse a Host that they do not know.
    hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: host } as const,
  };
  const routes = [
    Route.fromPartial({
      match: { ...all, headers: [{ name: HEADERS.to, headerMatchSpecifier: exact('actor') }] },
      action: { $case: 'route', value: service },
      // Told to the app with the turn. A host's calls to its own actors do not come this way.
      requestHeadersToAdd: [overwrite('x-dapr-remote', 'true'), ...forwarded],
    }),
    Route.fromPartial({
      match: isGrpc ? { ...all, grpc: {} } : all,
      action: { $case: 'route', value: app },
      requestHeadersToRemove: [HEADERS.to, ...(ownToken ? API_HEADERS.filter((name) => name !== 'dapr-api-token') : API_HEADERS)],
    }),
  ];
  // An HTTP call to a gRPC app: the filter service makes AppCallback.OnInvoke of it.
  if (isGrpc) {
    const action = { $case: 'route', value: service } as const;
    const callback = overwrite(HEADERS.to, 'app-callback');
    const bySelf = { ...all, headers: [{ name: HEADERS.to, headerMatchSpecifier: exact(TO_SELF) }] };
    routes.push(
      Route.fromPartial({ match: bySelf, action, requestHeadersToAdd: [callback] }),
      Route.fromPartial({ match: all, action, requestHeadersToAdd: [callback, ...forwarded] }),
    );
  }
  return routes;
}

const exact = (value: string) =>
  ({ $case: 'stringMatch', value: { matchPattern: { $case: 'exact', value }, ignoreCase: false } }) as const;

interface Table {
  readonly routes: readonly Route[];
  readonly matcher?: Matcher;
  readonly virtualClusters?: VirtualCluster[];
  readonly notSent?: RetryTimes | undefined;
  /** Headers that have done their work when a route has been followed. */
  readonly remove?: readonly string[];
}

function makeRoutes(name: string, table: Table): Resource {
  const message = RouteConfiguration.fromPartial({
    name,
    virtualHosts: [
      {
        name,
        domains: ['*'],
        routes: [...table.routes],
        virtualClusters: table.virtualClusters ?? [],
        requestHeadersToRemove: [...(table.remove ?? [])],
        // An inbound table has one upstream of each kind, on this host: there is nobody else to try.
        retryPolicy: table.matcher ? notSentRetry(table.notSent) : undefined,
      },
    ],
  });
  // Not through fromPartial, which would copy a table of thousands of routes.
  const [host] = message.virtualHosts;
  if (host && table.matcher) host.matcher = table.matcher;
  return makeResource(messageTypes.routeConfiguration, name, message);
}
