import {
  DirectResponseAction,
  type HeaderMatcher,
  Route,
  RouteList,
} from '../../../gen/envoy/config/route/v3/route_components.js';
import type { Any } from '../../../gen/google/protobuf/any.js';
import type { HashSource } from '../../../model/traffic/backend-policy.js';
import { EVERYTHING } from '../../../model/traffic/rank.js';
import type { AppRef, AppRoute, RetryRule } from '../../../model/traffic/route.js';
import type { AppTraffic } from '../../../model/traffic/view.js';
import { messageTypes, pack } from '../any.js';
import { API_HEADERS, type AppTarget } from '../route-target.js';
import { overwrite } from '../values.js';
import { callee, headerParts, isSingle, redirectAction, routeAction } from './action.js';
import { hasNoLength, isGrpcStream, matchOf, NO_BODY_KEPT } from './conditions.js';
import { corsConfig } from './cors.js';
import { sessionConfig } from './session.js';

/** How a call names its app. */
export interface AddressForm {
  /** What stands before the method's path. */
  readonly pathBase: string;
  /** Headers that have done their work. */
  readonly remove: readonly string[];
  /** Addressed by path, a call is never a proxied gRPC call. */
  readonly grpc: boolean;
}

export interface SteeredApp {
  readonly target: AppTarget;
  readonly traffic: AppTraffic;
  hashFor(app: AppRef): readonly HashSource[];
}

/** @returns the rules for one app under one form of address, in the order in which Envoy asks them, to end a matcher with */
export function steeredRoutes(app: SteeredApp, form: AddressForm): Any {
  const { unmatched } = app.traffic;
  const refused = (protocol: AppRoute['protocol']) => refusal(404, 'no rule matches the call', app.target, form, protocol);
  return pack(messageTypes.routeList, {
    ...emptyList,
    routes: [
      ...(form.grpc ? rules(app, form, 'grpc') : []),
      ...(form.grpc && unmatched.grpc !== unmatched.http ? [refused('grpc')] : []),
      ...rules(app, form, 'any'),
      ...(unmatched.http === 'app' ? variants(toItself(app.target), app, form) : [refused('any')]),
    ],
  });
}

/** The way of an app that no rule is about. */
const toItself = (target: AppTarget): AppRoute => ({
  source: '',
  protocol: 'any',
  match: EVERYTHING,
  rank: [],
  filters: { mirrors: [] },
  backends: [{ app: { ...target, version: '' }, weight: 1 }],
});

const emptyList = RouteList.fromPartial({});
const baseRoute = Route.fromPartial({});

const rules = (app: SteeredApp, form: AddressForm, protocol: AppRoute['protocol']): Route[] =>
  app.traffic.routes.filter((route) => route.protocol === protocol).flatMap((route) => variants(route, app, form));

/** A rule with retries is several routes: what cannot be sent twice goes the same way without them. */
function variants(route: AppRoute, app: SteeredApp, form: AddressForm): Route[] {
  const { resiliency } = app.traffic;
  const retry = route.retry ?? resiliency?.retry;
  const attemptMs = route.attemptMs ?? resiliency?.timeoutMs ?? 0;
  const whole = oneRoute(route, app, { form, more: [], retry, attemptMs });
  if (route.filters.redirect) return [whole];
  const found: Route[] = [];
  // A browser asks beforehand with another method than the call's.
  if (route.filters.cors && route.match.method !== '')
    found.push(oneRoute(preflightOf(route), app, { form, more: [], retry: undefined, attemptMs: 0 }));
  if (form.grpc && (retry || attemptMs > 0 || route.requestMs))
    found.push(oneRoute({ ...route, requestMs: 0 }, app, { form, more: isGrpcStream, retry: undefined, attemptMs: 0 }));
  if (retry && retry.retries > 0 && route.protocol === 'any') {
    const streamed = oneRoute(route, app, { form, more: hasNoLength, retry, attemptMs });
    found.push({ ...streamed, perRequestBufferLimitBytes: NO_BODY_KEPT });
  }
  return [...found, whole];
}

const preflightOf = (route: AppRoute): AppRoute => ({
  ...route,
  match: {
    ...route.match,
    method: 'OPTIONS',
    headers: [...route.match.headers, { kind: 'exact', name: 'access-control-request-method', value: route.match.method }],
  },
});

interface Variant {
  readonly form: AddressForm;
  readonly more: readonly HeaderMatcher[];
  readonly retry: RetryRule | undefined;
  readonly attemptMs: number;
}

function oneRoute(route: AppRoute, app: SteeredApp, { form, more, retry, attemptMs }: Variant): Route {
  const { filters, backends } = route;
  const match = matchOf(route, form.pathBase, more);
  const headers = headerParts(filters.request, filters.response);
  if (filters.redirect) {
    const { responseHeadersToAdd, responseHeadersToRemove } = headers;
    const action = { $case: 'redirect', value: redirectAction(route, filters.redirect, form.pathBase) } as const;
    return { ...baseRoute, match, action, responseHeadersToAdd, responseHeadersToRemove };
  }
  const weighted = backends.filter(({ weight }) => weight > 0);
  const [first] = weighted;
  if (!first) return { ...refusal(500, 'no backend has a weight', app.target, form, route.protocol), match };
  const context = {
    pathBase: form.pathBase,
    viaMesh: app.target.viaMesh === true,
    hash: hashOf(weighted, app),
    retry,
    attemptMs,
    notSent: app.traffic.notSent,
  };
  return {
    ...baseRoute,
    match,
    action: { $case: 'route', value: routeAction(route, weighted, context) },
    ...headers,
    requestHeadersToAdd: [...headers.requestHeadersToAdd, ...(isSingle(weighted) ? [callee(first)] : [])],
    requestHeadersToRemove: [...API_HEADERS, ...form.remove, ...headers.requestHeadersToRemove],
    typedPerFilterConfig: {
      ...(route.session ? sessionConfig(route.session) : {}),
      ...(filters.cors ? corsConfig(filters.cors) : {}),
    },
  };
}

const hashOf = (backends: AppRoute['backends'], { hashFor }: SteeredApp): readonly HashSource[] =>
  backends.map(({ app }) => hashFor(app)).find((sources) => sources.length > 0) ?? [];

/** Envoy makes gRPC's own status of it where gRPC was spoken. */
function refusal(status: number, why: string, { appId }: AppTarget, form: AddressForm, protocol: AppRoute['protocol']): Route {
  const body = JSON.stringify({ errorCode: 'ERR_DIRECT_INVOKE', message: `failed to invoke, id: ${appId}, err: ${why}` });
  return {
    ...baseRoute,
    match: matchOf({ match: EVERYTHING, protocol }, form.pathBase, []),
    action: {
      $case: 'directResponse',
      value: DirectResponseAction.fromPartial({ status, body: { specifier: { $case: 'inlineString', value: body } } }),
    },
    responseHeadersToAdd: [overwrite('content-type', 'application/json')],
  };
}
