import { type ExternalEndpoint, externalEndpoint } from '../external/endpoint.js';
import { type BackendPolicy, backendPolicies } from './backend-policy.js';
import type { RetryTimes } from './built-in-retries.js';
import { type Attachment, type Policy, ROUTE_KINDS, readRouteDocument } from './document.js';
import { byRank } from './rank.js';
import { resiliencyRules, type TargetResiliency } from './resiliency.js';
import { type AppRef, type AppRoute, refKey } from './route.js';

/** What is said about calls to one app. */
export interface AppTraffic {
  /** In the order in which they are asked. */
  readonly routes: readonly AppRoute[];
  /** A call that no rule of its kind matches is refused (GAMMA); without rules it goes to the app. */
  readonly unmatched: { readonly http: 'refuse' | 'app'; readonly grpc: 'refuse' | 'app' };
  readonly resiliency?: TargetResiliency | undefined;
  /** Dapr's built-in retries, where a policy of their name says otherwise. */
  readonly notSent?: RetryTimes | undefined;
}

/** All that steers the calls of some callers in one namespace. Immutable: another content is another view. */
export interface TrafficView {
  /** The same key means the same content; '' stands for nothing at all. */
  readonly key: string;
  readonly namespace: string;
  /** Apps that rules are attached to, known or not, as far as the rules name them. */
  readonly parents: readonly AppRef[];
  /** @returns undefined: calls to the app go to the app, and that is all */
  app(target: { readonly namespace: string; readonly appId: string }): AppTraffic | undefined;
  /** @returns where rules for `target` send calls, each place once */
  backends(traffic: AppTraffic | undefined): readonly AppRef[];
  actor(type: string): TargetResiliency | undefined;
  /** Of calls by name that never reached their app; undefined: nothing is said. */
  readonly notSent: RetryTimes | undefined;
  backendPolicy(target: { readonly namespace: string; readonly appId: string }): BackendPolicy | undefined;
  /** Services outside of the mesh that these callers may reach. */
  readonly externals: readonly ExternalEndpoint[];
}

const STEERING = new Set([...ROUTE_KINDS, 'Resiliency', 'BackendTrafficPolicy', 'HTTPEndpoint']);

/** @returns the policies that steer traffic, in one order however they were read */
export function steering(policies: readonly Policy[]): readonly Policy[] {
  return policies.filter(({ kind }) => STEERING.has(kind));
}

/** @returns a text that differs when the policies differ in anything that counts here */
export const viewKey = (namespace: string, policies: readonly Policy[]): string =>
  policies.length === 0 ? '' : `${namespace} ${policies.map(policyKey).join('\n')}`;

const keys = new WeakMap<Policy, string>();
function policyKey(policy: Policy): string {
  const known = keys.get(policy);
  if (known !== undefined) return known;
  const { kind, namespace, name, createdAt, spec, secretStore } = policy;
  const key = JSON.stringify([kind, namespace, name, createdAt, spec, secretStore]);
  keys.set(policy, key);
  return key;
}

/**
 * @param policies all that {@link steering} lets through for one caller
 * @param namespace the caller's
 */
export function trafficView(policies: readonly Policy[], namespace: string): TrafficView {
  const attachments = policies
    .flatMap((policy) => readRouteDocument(policy)?.attachments ?? [])
    .filter((it) => isFor(it, namespace));
  attachments.sort(byAge);
  const resiliency = resiliencyRules(policies.filter(({ kind }) => kind === 'Resiliency'));
  const notSent = resiliency.builtIn.service;
  const backend = backendPolicies(policies.filter(({ kind }) => kind === 'BackendTrafficPolicy'));
  const known = new Map<string, AppTraffic | undefined>();
  const trafficOf = (target: { readonly namespace: string; readonly appId: string }) => {
    const routes = appRoutesOf(attachments, target);
    const rules = resiliency.app(target);
    return routes || rules ? { ...(routes ?? NO_ROUTES), resiliency: rules, notSent } : undefined;
  };
  const parents = new Map(
    attachments.map(({ parent }) => inNamespace(parent, namespace)).map((parent) => [refKey(parent), parent]),
  );
  return {
    key: viewKey(namespace, policies),
    namespace,
    parents: [...parents.values()],
    app(target) {
      const key = `${target.namespace}/${target.appId}`;
      if (!known.has(key)) known.set(key, trafficOf(target));
      return known.get(key);
    },
    backends: (traffic) => {
      const places = (traffic?.routes ?? []).flatMap(({ backends, filters }) =>
        [...backends, ...filters.mirrors].map(({ app }) => app),
      );
      return [...new Map(places.map((place) => [refKey(place), place])).values()];
    },
    actor: (type) => resiliency.actor(type),
    notSent,
    backendPolicy: backend,
    externals: policies.filter(({ kind }) => kind === 'HTTPEndpoint').map(externalEndpoint),
  };
}

const NO_ROUTES = { routes: [], unmatched: { http: 'app', grpc: 'app' } } as const;

/** A route in its app's namespace is for all callers, another one for those in its own namespace (GAMMA: producer and consumer routes). */
const isFor = ({ namespace: own, parent }: Attachment, caller: string) =>
  own === '' || own === parent.namespace || own === caller;

const byAge = (a: Attachment, b: Attachment) =>
  compare(a.createdAt || '~', b.createdAt || '~') || compare(a.namespace, b.namespace) || compare(a.name, b.name);
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** '' is the namespace of whoever is meant. */
const inNamespace = (ref: AppRef, namespace: string): AppRef => (ref.namespace === '' ? { ...ref, namespace } : ref);

function appRoutesOf(attachments: readonly Attachment[], target: { readonly namespace: string; readonly appId: string }) {
  const attached = attachments.filter(
    ({ parent }) => parent.appId === target.appId && (parent.namespace === '' || parent.namespace === target.namespace),
  );
  if (attached.length === 0) return undefined;
  // What callers' own namespaces say replaces what the app's says.
  const consumer = attached.filter(({ namespace, parent }) => namespace !== '' && namespace !== parent.namespace);
  const inForce = consumer.length > 0 ? consumer : attached;
  const routes = inForce.flatMap(({ routes }) => routes).map((route) => placed(route, target.namespace));
  const grpc = routes.filter(({ protocol }) => protocol === 'grpc').sort(byRank);
  const http = routes.filter(({ protocol }) => protocol === 'any').sort(byRank);
  const httpRules = inForce.some(({ kind }) => kind !== 'GRPCRoute');
  const grpcRules = httpRules || inForce.some(({ kind }) => kind === 'GRPCRoute');
  return {
    routes: [...grpc, ...http],
    unmatched: { http: httpRules ? 'refuse' : 'app', grpc: grpcRules ? 'refuse' : 'app' },
  } as const;
}

function placed(route: AppRoute, namespace: string): AppRoute {
  const place = <T extends { readonly app: AppRef }>(it: T): T => ({ ...it, app: inNamespace(it.app, namespace) });
  return {
    ...route,
    backends: route.backends.map(place),
    filters: { ...route.filters, mirrors: route.filters.mirrors.map(place) },
  };
}
