import {
  type HeaderMatcher,
  type RetryPolicy,
  Route,
  RouteAction,
  RouteList,
  RouteMatch,
} from '../../gen/envoy/config/route/v3/route_components.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import { actorCluster, appCluster, HEADERS, SERVICE_GRPC_CLUSTER, SERVICE_HTTP_CLUSTER } from '../../model/names.js';
import { messageTypes, pack } from './any.js';
import { actorRetry } from './retry.js';
import { duration, overwrite } from './values.js';

/** Single routes: where a matched request goes, and what is done to it on the way. */

export interface AppTarget {
  readonly namespace: string;
  readonly appId: string;
  /** True: another mesh takes the call, and tells services apart by `Host`. */
  readonly viaMesh?: boolean;
}

/** `Host` becomes the host name of the endpoint (mesh-service.ts). */
export const HOST_OF_ENDPOINT = { $case: 'autoHostRewrite', value: true } as const;

/** No limit: a call lasts as long as the app takes, and streams have no end. Envoy's default would be 15 seconds. */
export const NO_TIMEOUT = duration(0);

/** Never leave this sidecar: they address the API, not the app. */
export const API_HEADERS = ['dapr-api-token', 'dapr-app-id'];

const all = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;

/** @returns the route of `/v1.0/invoke/<key>/method/…`: the app sees the rest of the path */
export function invokeRoute(target: AppTarget, prefix: string): Any {
  return packRoute({
    ...baseRoute,
    match: { ...baseMatch, pathSpecifier: { $case: 'prefix', value: prefix } },
    action: { $case: 'route', value: { ...toApp(target), prefixRewrite: '/' } },
    ...toAppHeaders(target),
  });
}

/** @returns the route of a call that names its target in a header: the app sees the path as it is */
export function headerRoute(target: AppTarget, alsoRemove: readonly string[] = []): Any {
  const headers = toAppHeaders(target);
  return packRoute({
    ...baseRoute,
    match: { ...baseMatch, ...all },
    action: { $case: 'route', value: toApp(target) },
    ...headers,
    requestHeadersToRemove: [...headers.requestHeadersToRemove, ...alsoRemove],
  });
}

// Spread for each app: fromPartial copies deeply, and there may be thousands.
const baseRoute = Route.fromPartial({});
const baseMatch = RouteMatch.fromPartial({});
const baseAction = RouteAction.fromPartial({});

const toApp = ({ namespace, appId, viaMesh = false }: AppTarget): RouteAction => ({
  ...baseAction,
  hostRewriteSpecifier: viaMesh ? HOST_OF_ENDPOINT : undefined,
  clusterSpecifier: { $case: 'cluster', value: appCluster(namespace, appId) } as const,
  timeout: NO_TIMEOUT,
});

const toAppHeaders = ({ appId }: AppTarget) => ({
  requestHeadersToAdd: [overwrite('dapr-callee-app-id', appId)],
  requestHeadersToRemove: API_HEADERS,
});

/** The bytes that an actor's address is: type and id as they stand in the path, without query. Every process must hash the same. */
const ACTOR_ADDRESS = { regex: '^/v1\\.0/actors/([^/?]+)/([^/?]+)/.*$', substitution: '\\1/\\2' };
const ACTOR_CALL = '/v1\\.0/actors/[^/]+/[^/]+/method/.+';

/** Calls of a type that are alike: those with `headers` that no earlier entry has taken. */
export interface ActorCalls {
  readonly headers: readonly HeaderMatcher[];
  readonly retryPolicy: RetryPolicy;
  /** How much of a body may be kept for another try; absent: what the listener keeps. */
  readonly bufferBytes?: number;
}

/** @returns the routes below `/v1.0/actors/<type>/`: calls go to the actor's owner, state, timers and reminders to the filter service */
export function actorRoutes(
  namespace: string,
  actorType: string,
  kinds: readonly ActorCalls[] = [{ headers: [], retryPolicy: actorRetry }],
): Any {
  const underPolicy = kinds.some(({ retryPolicy }) => retryPolicy !== actorRetry);
  const calls = kinds.map(({ headers, retryPolicy, bufferBytes }) =>
    Route.fromPartial({
      match: { pathSpecifier: { $case: 'safeRegex', value: { regex: ACTOR_CALL } }, headers: [...headers] },
      action: {
        $case: 'route',
        value: {
          clusterSpecifier: { $case: 'cluster', value: actorCluster(namespace, actorType) },
          timeout: NO_TIMEOUT,
          hashPolicy: [{ policySpecifier: { $case: 'header', value: { headerName: ':path', regexRewrite: actorAddress } } }],
          retryPolicy,
        },
      },
      requestHeadersToAdd: [overwrite(HEADERS.to, 'actor')],
      // The inbound listener of another host says whether a call is remote.
      requestHeadersToRemove: [...API_HEADERS, 'x-dapr-remote'],
      responseHeadersToRemove: [HEADERS.actorMoved, ...(underPolicy ? [HEADERS.actorLate, HEADERS.notAgain] : [])],
      perRequestBufferLimitBytes: bufferBytes,
    }),
  );
  return pack(messageTypes.routeList, RouteList.fromPartial({ routes: [...calls, toService(SERVICE_HTTP_CLUSTER)] }));
}

const actorAddress = { pattern: { regex: ACTOR_ADDRESS.regex }, substitution: ACTOR_ADDRESS.substitution };

const toService = (cluster: string): Route =>
  Route.fromPartial({
    match: all,
    action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: cluster }, timeout: NO_TIMEOUT } },
  });

/** The route to the filter service's HTTP API */
export const serviceHttpRoute: Any = packRoute(toService(SERVICE_HTTP_CLUSTER));
/** The route to the filter service's gRPC API */
export const serviceGrpcRoute: Any = packRoute(toService(SERVICE_GRPC_CLUSTER));

/**
 * A call that names no app that we know. HTTP: the filter service words the error. gRPC: Envoy answers, since only it serves any service
 * name; it makes code Unknown of 500 and Unavailable of 503.
 */
export const untargetedRoutes: Any = pack(
  messageTypes.routeList,
  RouteList.fromPartial({
    routes: [
      grpcError(503, 'failed to invoke: the app that dapr-callee-app-id names is not known', 'dapr-callee-app-id'),
      grpcError(503, 'failed to invoke: the app that dapr-app-id names is not known', 'dapr-app-id'),
      grpcError(500, 'failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found'),
      toService(SERVICE_HTTP_CLUSTER),
    ],
  }),
);

function grpcError(status: number, message: string, presentHeader?: string): Route {
  const headers = presentHeader
    ? [{ name: presentHeader, headerMatchSpecifier: { $case: 'presentMatch', value: true } as const }]
    : [];
  return Route.fromPartial({
    match: { ...all, grpc: {}, headers },
    action: { $case: 'directResponse', value: { status, body: { specifier: { $case: 'inlineString', value: message } } } },
  });
}

function packRoute(route: Route): Any {
  return pack(messageTypes.route, route);
}
