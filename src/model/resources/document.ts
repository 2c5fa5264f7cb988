import type { z } from 'zod';
import { nearest } from '../../lib/suggest.js';
import type { Component, ResourceSet, Subscription } from '../mesh-model.js';
import type { componentSchema } from './kinds/component.js';
import { toComponent } from './kinds/component.js';
import { kinds } from './kinds/index.js';
import type { subscriptionV2Schema } from './kinds/subscription.js';
import { toSubscription } from './kinds/subscription.js';
import { describeIssues } from './problem.js';

type Configuration = ResourceSet['configurations'][number];
type Policy = ResourceSet['policies'][number];

/** One resource, with what makes it the same one when its file is read again. */
export type Entry = { readonly kind: string; readonly namespace: string; readonly name: string; readonly source: string } & (
  | { readonly of: 'component'; readonly value: Component }
  | { readonly of: 'subscription'; readonly value: Subscription }
  | { readonly of: 'configuration'; readonly value: Configuration }
  | { readonly of: 'policy'; readonly value: Policy }
);

/** A document that cannot be used, and whatever it tells about which resource it is. */
export interface Refused {
  readonly source: string;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** Without the source. */
  readonly problems: readonly string[];
}

export type Outcome = { readonly entry: Entry } | { readonly refused: Refused } | undefined;

/**
 * @param value one parsed YAML document
 * @returns the resource in it or why not; undefined: it is none of ours, such as a Deployment that stands in the same file
 */
export function readDocument(value: unknown, source: string): Outcome {
  const head = headOf(value);
  const refuse = (problems: readonly string[]): Outcome => ({ refused: { source, ...head, problems } });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(['is no mapping; write a resource with apiVersion and kind']);
  if (head.apiVersion === undefined && head.kind === undefined) return undefined;
  if (head.kind === undefined) return refuse(['kind: is missing; add it, for example kind: Component']);
  if (head.apiVersion === undefined) return refuse(['apiVersion: is missing; add it, for example apiVersion: dapr.io/v1alpha1']);
  const group = head.apiVersion.split('/')[0] ?? '';
  const known = kinds[head.kind];
  if (!known || (known.group !== group && OUR_GROUPS.every((ours) => ours !== group && nearest(group, [ours]) === undefined)))
    return OUR_GROUPS.includes(group) ? refuse([unknownKind(head.kind)]) : undefined;
  const schema = known.versions[head.apiVersion] ?? known.versions[''];
  const result = schema?.safeParse(value, { reportInput: true });
  if (!result?.success) return refuse(describeIssues(result?.error.issues ?? []));
  return { entry: toEntry(head.kind, result.data, value as { readonly spec?: unknown }, source) };
}

const OUR_GROUPS = [...new Set(Object.values(kinds).map(({ group }) => group))];

function unknownKind(kind: string): string {
  const meant = nearest(kind, Object.keys(kinds));
  return `kind: ${kind} is not known here${meant ? ` (did you mean ${meant}?)` : ''}; ${meant ? 'rename it' : 'remove the document'}`;
}

function headOf(value: unknown) {
  const { apiVersion, kind, metadata } = (value ?? {}) as Record<string, unknown>;
  const { name, namespace } = (metadata ?? {}) as Record<string, unknown>;
  const textOrNone = (it: unknown) => (typeof it === 'string' ? it : undefined);
  return {
    apiVersion: textOrNone(apiVersion),
    kind: textOrNone(kind),
    name: textOrNone(name),
    namespace: textOrNone(namespace) ?? '',
  };
}

function toEntry(kind: string, parsed: unknown, raw: { readonly spec?: unknown }, source: string): Entry {
  const { metadata, scopes } = parsed as { metadata: { name: string; namespace?: string }; scopes?: readonly string[] };
  const id = { kind, namespace: metadata.namespace ?? '', name: metadata.name, source };
  switch (kind) {
    case 'Component':
      return { ...id, of: 'component', value: toComponent(parsed as z.infer<typeof componentSchema>, source) };
    case 'Subscription':
      return { ...id, of: 'subscription', value: toSubscription(parsed as z.infer<typeof subscriptionV2Schema>, source) };
    case 'Configuration':
      return { ...id, of: 'configuration', value: { name: metadata.name, spec: withoutNulls(raw.spec ?? {}), source } };
    default:
      return {
        ...id,
        of: 'policy',
        value: { ...id, ...createdAt(metadata), ...storeOf(parsed), scopes: scopes ?? [], spec: withoutNulls(raw.spec) },
      };
  }
}

function storeOf(parsed: unknown) {
  const { auth } = parsed as { readonly auth?: { readonly secretStore?: string } };
  return auth?.secretStore ? { secretStore: auth.secretStore } : {};
}

/** The API server's time stamp, by which the older one of two routes counts. */
function createdAt(metadata: object) {
  const { creationTimestamp: at } = metadata as { readonly creationTimestamp?: unknown };
  return typeof at === 'string' ? { createdAt: at } : {};
}

/**
 * The spec as written, and not with the schema's defaults: layers are merged later, and a default must not win over what an earlier layer
 * says. A key without a value says nothing.
 */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  );
}
