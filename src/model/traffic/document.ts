import type { z } from 'zod';
import type { ResourceSet } from '../mesh-model.js';
import { grpcRouteSpec, httpRouteSpec, trafficSplitSpec } from '../resources/kinds/traffic.js';
import { EVERYTHING, httpRank } from './rank.js';
import { type AppRef, type AppRoute, parseAppName } from './route.js';
import { grpcRoutes, httpRoutes } from './rule.js';

export type Policy = ResourceSet['policies'][number];

/** A document's part for one parent: all of its rules, in the order in which they stand. */
export interface Attachment {
  readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'TrafficSplit';
  /** The document's. '' is every namespace. */
  readonly namespace: string;
  readonly name: string;
  /** When it was made, if the document says so: older ones come first. */
  readonly createdAt: string;
  readonly parent: AppRef;
  readonly routes: readonly AppRoute[];
}

/** A parent that is no app of the mesh. */
export interface ForeignParent {
  readonly parent: string;
  readonly reason: string;
}

export interface RouteDocument {
  readonly attachments: readonly Attachment[];
  readonly foreign: readonly ForeignParent[];
}

export const ROUTE_KINDS: readonly string[] = ['HTTPRoute', 'GRPCRoute', 'TrafficSplit'];

/** @returns whether a policy may steer callers of other namespaces than its own */
export const isForAllCallers = ({ kind }: Pick<Policy, 'kind'>): boolean =>
  ROUTE_KINDS.includes(kind) || kind === 'BackendTrafficPolicy';

/** @returns whether the text stands in any of the routes, as JSON */
const usedInRoutes = (text: string) => {
  const found = new WeakMap<Policy, boolean>();
  return (policies: readonly Policy[]): boolean =>
    policies.some((policy) => {
      if (!ROUTE_KINDS.includes(policy.kind)) return false;
      const known = found.get(policy) ?? JSON.stringify(policy.spec).includes(text);
      found.set(policy, known);
      return known;
    });
};
/** @returns whether any of the policies asks for session persistence */
export const usesSessions = usedInRoutes('"sessionPersistence"');
/** @returns whether any of the policies says which web pages may read its answers */
export const usesCors = usedInRoutes('"cors"');

/** @returns what a validated route or split says, by parent; undefined: the policy is of another kind */
export function readRouteDocument(policy: Policy): RouteDocument | undefined {
  switch (policy.kind) {
    case 'HTTPRoute':
      return fromRoute(policy, httpRouteSpec.parse(policy.spec), httpRoutes);
    case 'GRPCRoute':
      return fromRoute(policy, grpcRouteSpec.parse(policy.spec), grpcRoutes);
    case 'TrafficSplit':
      return fromSplit(policy, trafficSplitSpec.parse(policy.spec));
    default:
      return undefined;
  }
}

interface RouteSpec<Rule> {
  readonly parentRefs: z.infer<typeof httpRouteSpec>['parentRefs'];
  readonly rules: readonly Rule[];
}

function fromRoute<Rule>(policy: Policy, spec: RouteSpec<Rule>, toRoutes: typeof httpRoutes | typeof grpcRoutes): RouteDocument {
  const attachments: Attachment[] = [];
  const foreign: ForeignParent[] = [];
  for (const ref of spec.parentRefs) {
    const { kind = 'Gateway', group = kind === 'Service' ? '' : 'gateway.networking.k8s.io', name } = ref;
    const parent = { namespace: ref.namespace ?? policy.namespace, appId: name, version: '' };
    if (kind !== 'Service' || (group !== '' && group !== 'core')) {
      const left = ref.kind === undefined ? ' (kind is left out)' : '';
      foreign.push({
        parent: `${kind} ${name}`,
        reason: `the parent is a ${kind}${left}; write kind: Service and group: "" for an app`,
      });
      continue;
    }
    const context = { source: `${policy.kind} ${policy.name}`, parent, namespace: policy.namespace || parent.namespace };
    const routes = spec.rules.flatMap((rule) => (toRoutes as (rule: Rule, to: typeof context) => AppRoute[])(rule, context));
    attachments.push({ ...head(policy), parent, routes });
  }
  return { attachments, foreign };
}

function fromSplit(policy: Policy, { service, backends }: z.infer<typeof trafficSplitSpec>): RouteDocument {
  const { namespace } = policy;
  const milli = backends.some(({ weight }) => typeof weight === 'string' && weight.endsWith('m'));
  const route: AppRoute = {
    source: `${policy.kind} ${policy.name}`,
    protocol: 'any',
    match: EVERYTHING,
    rank: httpRank(EVERYTHING),
    filters: { mirrors: [] },
    backends: backends.map((backend) => ({
      app: parseAppName(backend.service, namespace),
      weight: weightOf(backend.weight, milli),
    })),
  };
  return { attachments: [{ ...head(policy), parent: parseAppName(service, namespace), routes: [route] }], foreign: [] };
}

function weightOf(weight: number | string, milli: boolean): number {
  const text = String(weight);
  return Math.round(text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * (milli ? 1000 : 1));
}

const head = ({ kind, namespace, name, createdAt = '' }: Policy) => ({
  kind: kind as Attachment['kind'],
  namespace,
  name,
  createdAt,
});
