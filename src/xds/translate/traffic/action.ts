import type { HeaderValueOption } from '../../../gen/envoy/config/core/v3/base.js';
import {
  RedirectAction,
  RedirectAction_RedirectResponseCode,
  type Route,
  RouteAction,
  RouteAction_HashPolicy,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster,
  WeightedCluster_ClusterWeight,
} from '../../../gen/envoy/config/route/v3/route_components.js';
import { FractionalPercent_DenominatorType } from '../../../gen/envoy/type/v3/percent.js';
import { refCluster } from '../../../model/names.js';
import type { HashSource } from '../../../model/traffic/backend-policy.js';
import type { AppRoute, Backend, HeaderChange, Redirect } from '../../../model/traffic/route.js';
import { HOST_OF_ENDPOINT, NO_TIMEOUT } from '../route-target.js';
import { append, duration, overwrite } from '../values.js';
import { redirectPath, rewritePath } from './path.js';
import { type Attempts, retryPolicy } from './retry-policy.js';

/** What becomes of a request that a rule has matched. */

type HeaderParts = Pick<
  Route,
  'requestHeadersToAdd' | 'requestHeadersToRemove' | 'responseHeadersToAdd' | 'responseHeadersToRemove'
>;

/** In Envoy's header values `%` begins a command. */
const literally = (value: string) => value.replaceAll('%', '%%');
const changes = (change: HeaderChange | undefined): HeaderValueOption[] => [
  ...(change?.set ?? []).map(({ name, value }) => overwrite(name, literally(value))),
  ...(change?.add ?? []).map(({ name, value }) => append(name, literally(value))),
];

/** @returns header changes as they stand in a route or at a weighted backend */
export const headerParts = (request: HeaderChange | undefined, response: HeaderChange | undefined): HeaderParts => ({
  requestHeadersToAdd: changes(request),
  requestHeadersToRemove: [...(request?.remove ?? [])],
  responseHeadersToAdd: changes(response),
  responseHeadersToRemove: [...(response?.remove ?? [])],
});

/** The callee that the app and its access rules see is the backend, not the name that was called. */
export const callee = ({ app }: Backend): HeaderValueOption => overwrite('dapr-callee-app-id', app.appId);

const baseAction = RouteAction.fromPartial({});
const baseWeighted = WeightedCluster.fromPartial({});
const baseWeight = WeightedCluster_ClusterWeight.fromPartial({});

export interface ActionContext extends Attempts {
  readonly pathBase: string;
  readonly viaMesh: boolean;
  readonly hash: readonly HashSource[];
}

/** @param backends those with a weight, at least one */
export function routeAction(
  route: AppRoute,
  backends: readonly Backend[],
  { pathBase, viaMesh, hash, ...attempts }: ActionContext,
): RouteAction {
  const { rewrite, mirrors } = route.filters;
  const literal = rewrite?.hostname ? ({ $case: 'hostRewriteLiteral', value: rewrite.hostname } as const) : undefined;
  return {
    ...baseAction,
    clusterSpecifier: clusters(backends),
    ...rewritePath(route.match.path, pathBase, rewrite?.path),
    // The app sees its own address as Host either way; the other mesh must see the service's.
    hostRewriteSpecifier: viaMesh ? HOST_OF_ENDPOINT : literal,
    requestMirrorPolicies: mirrors.map(({ app, perMillion }) =>
      RouteAction_RequestMirrorPolicy.fromPartial({
        cluster: refCluster(app),
        runtimeFraction: { defaultValue: { numerator: perMillion, denominator: FractionalPercent_DenominatorType.MILLION } },
        disableShadowHostSuffixAppend: true,
      }),
    ),
    timeout: route.requestMs ? duration(route.requestMs) : NO_TIMEOUT,
    retryPolicy: retryPolicy(attempts),
    hashPolicy: hash.map(hashPolicy),
  };
}

/** @returns whether everything goes to one place, so that the route itself can say what is done to the request */
export const isSingle = ([first, ...others]: readonly Backend[]): boolean =>
  others.length === 0 && first?.request === undefined && first?.response === undefined;

function clusters(backends: readonly Backend[]): NonNullable<RouteAction['clusterSpecifier']> {
  const [first] = backends;
  if (first && isSingle(backends)) return { $case: 'cluster', value: refCluster(first.app) };
  const weighted = backends.map((backend): WeightedCluster_ClusterWeight => {
    const parts = headerParts(backend.request, backend.response);
    const requestHeadersToAdd = [...parts.requestHeadersToAdd, callee(backend)];
    return { ...baseWeight, name: refCluster(backend.app), weight: backend.weight, ...parts, requestHeadersToAdd };
  });
  return { $case: 'weightedClusters', value: { ...baseWeighted, clusters: weighted } };
}

function hashPolicy(source: HashSource): RouteAction_HashPolicy {
  const specifier = (): NonNullable<RouteAction_HashPolicy['policySpecifier']> => {
    switch (source.by) {
      case 'header':
        return { $case: 'header', value: { headerName: source.name, regexRewrite: undefined } };
      case 'query':
        return { $case: 'queryParameter', value: { name: source.name } };
      case 'cookie':
        // Without a ttl Envoy only reads; with one it makes the cookie.
        return {
          $case: 'cookie',
          value: { name: source.name, ttl: source.ttlMs > 0 ? duration(source.ttlMs) : undefined, path: '/', attributes: [] },
        };
      default:
        return { $case: 'connectionProperties', value: { sourceIp: true } };
    }
  };
  return RouteAction_HashPolicy.fromPartial({ policySpecifier: specifier() });
}

const CODES: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

/** @returns the answer that sends the caller elsewhere */
export function redirectAction({ match }: AppRoute, redirect: Redirect, pathBase: string): RedirectAction {
  const { scheme, hostname, port, status } = redirect;
  return RedirectAction.fromPartial({
    ...(scheme ? { schemeRewriteSpecifier: { $case: 'schemeRedirect', value: scheme } as const } : {}),
    hostRedirect: hostname ?? '',
    portRedirect: port ?? 0,
    pathRewriteSpecifier: redirectPath(match.path, pathBase, redirect),
    responseCode: CODES[status] ?? RedirectAction_RedirectResponseCode.FOUND,
  });
}
