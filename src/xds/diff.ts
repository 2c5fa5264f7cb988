import { LayeredMap, type Resources } from './layered-map.js';
import type { Resource } from './resource.js';
import type { SubscriptionView } from './subscription.js';

export interface Delta {
  readonly upserts: readonly Resource[];
  /** Names that are gone, or that were asked for and do not exist. */
  readonly removals: readonly string[];
}

export interface DiffInput {
  readonly resources: Resources;
  readonly subscription: SubscriptionView;
  /** Names that must be answered even without a difference; `all`: every subscribed one. */
  readonly owed: 'all' | ReadonlySet<string>;
  /** Versions that this client refused: not sent again unless owed. */
  readonly rejected: ReadonlyMap<string, string>;
  /** What a client brought from an earlier stream is neither replaced nor removed. */
  readonly settling: boolean;
  /** The resources that the client was last brought in step with; makes the diff as small as the change. */
  readonly since?: Resources;
}

/** @returns what the client must be sent to be in step with `resources` */
export function diff(input: DiffInput): Delta {
  const { since, resources, owed } = input;
  if (owed === 'all' || since === undefined) return fullDiff(input);
  return pick(input, new Set([...changesBetween(since, resources), ...owed]));
}

function fullDiff(input: DiffInput): Delta {
  const { names, held, wildcard } = input.subscription;
  if (!wildcard) return pick(input, names);
  if (names.size + held.size === 0 && input.owed === 'all') return { upserts: [...input.resources.values()], removals: [] };
  const owed = input.owed === 'all' ? [] : input.owed;
  return pick(input, new Set([...input.resources.keys(), ...names, ...held.keys(), ...owed]));
}

function pick(input: DiffInput, names: Iterable<string>): Delta {
  const upserts: Resource[] = [];
  const removals: string[] = [];
  for (const name of names) {
    const resource = input.resources.get(name);
    if (resource === undefined) {
      if (isRemoval(name, input)) removals.push(name);
    } else if (isUpsert(resource, input)) upserts.push(resource);
  }
  return { upserts, removals };
}

function isRemoval(name: string, { subscription, owed, settling }: DiffInput): boolean {
  const asked = owed === 'all' ? subscription.names.has(name) : owed.has(name);
  if (!asked && !subscription.wants(name)) return false;
  // While instances re-attach, nobody can say yet what does not exist.
  if (settling && (asked || subscription.inherited.has(name))) return false;
  return asked || subscription.held.has(name);
}

function isUpsert(resource: Resource, { subscription, owed, rejected, settling }: DiffInput): boolean {
  const { name, version } = resource;
  const current = subscription.held.get(name)?.version;
  if (settling && current !== version && subscription.inherited.has(name)) return false;
  if (owed !== 'all' && owed.has(name)) return true;
  if (!subscription.wants(name)) return false;
  return owed === 'all' || (current !== version && rejected.get(name) !== version);
}

const known = new WeakMap<Resources, WeakMap<Resources, readonly string[]>>();

/**
 * @returns names whose content differs between the two. Computed once for a pair, however many clients take that step: this is what
 * keeps one endpoint change cheap for a thousand proxies.
 */
export function changesBetween(before: Resources, after: Resources): readonly string[] {
  if (before === after) return [];
  if (before instanceof LayeredMap && after instanceof LayeredMap)
    return [...changesBetween(before.base, after.base), ...changesBetween(before.own, after.own)];
  const steps = known.get(before) ?? new WeakMap<Resources, readonly string[]>();
  known.set(before, steps);
  const changed = steps.get(after) ?? compare(before, after);
  steps.set(after, changed);
  return changed;
}

function compare(before: Resources, after: Resources): readonly string[] {
  const changed: string[] = [];
  for (const [name, { version }] of after) if (before.get(name)?.version !== version) changed.push(name);
  for (const name of before.keys()) if (!after.has(name)) changed.push(name);
  return changed;
}
