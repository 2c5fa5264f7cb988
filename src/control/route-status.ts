import { appKey } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import { type Policy, readRouteDocument } from '../model/traffic/document.js';
import { resiliencyNotes } from '../model/traffic/resiliency-notes.js';
import type { AppRef, AppRoute } from '../model/traffic/route.js';
import { steering } from '../model/traffic/view.js';

/** A Gateway API condition, in one word and in many. */
export interface Condition {
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What became of one traffic policy for one parent. */
export interface RouteStatus {
  readonly kind: string;
  /** '' is every namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly source: string;
  /** The app whose calls it is about; '' for a policy that has no parent. */
  readonly parent: string;
  readonly accepted: Condition;
  /** Whether all backends are known. Calls to one that is not fail, as its share of them. */
  readonly resolvedRefs: Condition;
  /** How many rules it has. */
  readonly rules: number;
}

const ACCEPTED: Condition = { status: true, reason: 'Accepted', message: '' };
const RESOLVED: Condition = { status: true, reason: 'ResolvedRefs', message: '' };

/** @returns the status of every traffic policy that some attached instance has */
export function routeStatuses(model: MeshModel): readonly RouteStatus[] {
  const policies = new Map<string, Policy>();
  for (const instance of model.instances)
    for (const policy of steering(model.resourcesFor(instance).policies))
      policies.set(`${policy.kind} ${policy.namespace} ${policy.name} ${policy.source}`, policy);
  const known = knownApps(model);
  return [...policies.values()]
    .flatMap((policy) => statusOf(policy, known))
    .sort((a, b) => compare(a.kind, b.kind) || compare(a.namespace, b.namespace) || compare(a.name, b.name));
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

interface KnownApps {
  has(app: AppRef): boolean;
}

function knownApps({ instances }: MeshModel): KnownApps {
  const keys = new Set(instances.flatMap((it) => [appKey(it), `${appKey(it)}@${it.labels.version ?? ''}`]));
  const ids = new Set(instances.flatMap(({ appId, labels }) => [appId, `${appId}@${labels.version ?? ''}`]));
  return {
    has: ({ namespace, appId, version }) => {
      const name = version === '' ? appId : `${appId}@${version}`;
      return namespace === '' ? ids.has(name) : keys.has(`${namespace}/${name}`);
    },
  };
}

function statusOf(policy: Policy, known: KnownApps): readonly RouteStatus[] {
  const { kind, namespace, name, source } = policy;
  const head = { kind, namespace, name, source };
  const document = readRouteDocument(policy);
  if (!document) {
    const note = kind === 'Resiliency' ? resiliencyNotes(policy) : [];
    const accepted = note.length === 0 ? ACCEPTED : { status: true, reason: 'PartiallyInvalid', message: note.join('; ') };
    return [{ ...head, parent: '', accepted, resolvedRefs: RESOLVED, rules: 0 }];
  }
  return [
    ...document.attachments.map(({ parent, routes }) => ({
      ...head,
      parent: shown(parent),
      accepted: ACCEPTED,
      resolvedRefs: refs(routes, known),
      rules: routes.length,
    })),
    ...document.foreign.map(({ parent, reason }) => ({
      ...head,
      parent,
      accepted: { status: false, reason: 'NoMatchingParent', message: reason },
      resolvedRefs: RESOLVED,
      rules: 0,
    })),
  ];
}

function refs(routes: readonly AppRoute[], known: KnownApps): Condition {
  const places = routes.flatMap(({ backends, filters }) => [...backends, ...filters.mirrors].map(({ app }) => app));
  const missing = [...new Set(places.filter((place) => !known.has(place)).map(shown))];
  if (missing.length === 0) return RESOLVED;
  return { status: false, reason: 'BackendNotFound', message: `no instance of ${missing.join(', ')} is attached` };
}

const shown = ({ namespace, appId, version }: AppRef) => `${appId}${version && `@${version}`}${namespace && ` (${namespace})`}`;
