import { type Delta, diff } from './diff.js';
import type { Resources } from './layered-map.js';
import type { TypeRecord } from './proxy-records.js';
import type { Decision } from './request-decision.js';
import type { Resource } from './resource.js';
import { resourceTypes, type TypeUrl } from './resource-types.js';
import { createSubscription, type Subscription } from './subscription.js';

/** A response that waits for its ACK or NACK. At most one a type: whatever changes meanwhile goes into the next, merged. */
export interface Outstanding {
  readonly nonce: string;
  readonly version: string;
  readonly upserts: readonly Resource[];
  readonly removals: readonly string[];
}

/** One resource type on one stream. */
export interface Channel {
  readonly typeUrl: TypeUrl;
  readonly subscription: Subscription;
  readonly record: TypeRecord;
  /** Answers that the client waits for. */
  owed: 'all' | Set<string>;
  /** The client may be out of step with the snapshot. */
  dirty: boolean;
  /** The resources that it was last in step with. */
  since: Resources | undefined;
  outstanding: Outstanding | undefined;
  /** Parts of a refused response, to be sent again one after the other: see {@link refuse}. */
  readonly batches: (readonly string[])[];
}

export function createChannel(typeUrl: TypeUrl, record: TypeRecord): Channel {
  return {
    typeUrl,
    subscription: createSubscription(),
    record,
    owed: new Set(),
    dirty: true,
    since: undefined,
    outstanding: undefined,
    batches: [],
  };
}

/** Takes over what a request changes in the subscription. ACK and NACK are for {@link accept} and {@link refuse}. */
export function applyDecision(channel: Channel, decision: Decision): void {
  const { subscription, record } = channel;
  // A client without any resource is a new process: what its predecessor refused is worth another try.
  if (decision.row === 'first') record.rejected.clear();
  subscription.subscribe(decision.subscribe);
  subscription.unsubscribe(decision.unsubscribe);
  if (decision.wildcard !== undefined) subscription.setWildcard(decision.wildcard);
  if (decision.inherit) subscription.inherit(decision.inherit);
  if (channel.owed !== 'all') {
    for (const name of decision.unsubscribe) channel.owed.delete(name);
    if (decision.owed === 'all') channel.owed = 'all';
    else for (const name of decision.owed) channel.owed.add(name);
  }
  for (const name of decision.unsubscribe) record.rejected.delete(name);
}

export interface PlanInput {
  readonly resources: Resources;
  readonly settling: boolean;
  /** True: only what is owed may go out now. */
  readonly gated: boolean;
  /** True: removals that nobody asked for wait (make before break). */
  readonly keep: boolean;
}

/** What may be sent now, and whether the client is in step with the resources after it. */
export interface Plan extends Delta {
  readonly complete: boolean;
  /** Must be sent although it is empty. */
  readonly answerEmpty: boolean;
  /** True: a part of a refused response, beside the normal course. */
  readonly retry: boolean;
}

/** @returns the next response of `channel`, which must have none outstanding */
export function plan(channel: Channel, input: PlanInput): Plan {
  const { owed, subscription, record } = channel;
  const base = { resources: input.resources, subscription, rejected: record.rejected, settling: input.settling };
  while (channel.batches.length > 0) {
    const batch = (channel.batches.shift() ?? []).filter((name) => subscription.wants(name) && !record.rejected.has(name));
    const part = diff({ ...base, owed: new Set(batch), since: input.resources });
    if (batch.length > 0) return { ...part, complete: false, answerEmpty: false, retry: true };
  }
  const delta = diff({ ...base, owed, since: channel.since });
  const due = (name: string) => owed === 'all' || owed.has(name);
  const upserts = input.gated ? delta.upserts.filter(({ name }) => due(name)) : delta.upserts;
  const removals = input.gated || input.keep ? delta.removals.filter(due) : delta.removals;
  return {
    upserts,
    removals,
    complete: upserts.length === delta.upserts.length && removals.length === delta.removals.length,
    answerEmpty: owed === 'all' && (subscription.wildcard || !input.settling),
    retry: false,
  };
}

/** Notes that `sent` is on its way. */
export function noteSent(channel: Channel, sent: Outstanding): void {
  const { subscription, record } = channel;
  channel.outstanding = sent;
  record.sent = { nonce: sent.nonce, version: sent.version };
  subscription.sent(sent.upserts, sent.removals);
  for (const { name, version } of sent.upserts) if (record.rejected.get(name) !== version) record.rejected.delete(name);
  for (const name of sent.removals) record.rejected.delete(name);
}

function unanswered({ owed, subscription }: Channel, { upserts, removals }: Delta): Set<string> {
  const left = new Set(owed === 'all' ? subscription.names : owed);
  for (const { name } of upserts) left.delete(name);
  for (const name of removals) left.delete(name);
  return left;
}

/** Notes that a plan was carried out. Names that nobody can answer before instances have re-attached stay owed. */
export function notePlanned(
  channel: Channel,
  { upserts, removals, complete, retry }: Plan,
  { resources, settling }: PlanInput,
): void {
  if (retry) return;
  const owed = settling ? unanswered(channel, { upserts, removals }) : new Set<string>();
  channel.owed = owed;
  if (!complete) return;
  const frozen = settling && (channel.subscription.inherited.size > 0 || owed.size > 0);
  channel.dirty = false;
  channel.since = frozen ? undefined : resources;
  if (!settling) channel.subscription.settle();
  // A refused version that is no longer wanted is no trouble any more.
  for (const [name, version] of channel.record.rejected)
    if (resources.get(name)?.version !== version) channel.record.rejected.delete(name);
  clearNack(channel);
}

export function accept(channel: Channel, sent: Outstanding): void {
  const { record } = channel;
  channel.outstanding = undefined;
  record.acked = { nonce: sent.nonce, version: sent.version };
  for (const { name, version } of sent.upserts) if (record.rejected.get(name) === version) record.rejected.delete(name);
  clearNack(channel);
}

function clearNack({ record, batches, outstanding }: Channel): void {
  if (record.rejected.size === 0 && batches.length === 0 && !outstanding) record.nack = undefined;
}

/**
 * A refused response. Which of its resources is bad, only the client knows, and for some types Envoy stops at the first bad one. So
 * the response is sent again in parts until the bad ones stand alone: the rest applies, and what stands alone is not sent again in
 * that version (envoy#34334: also not after a reconnect, and the next version is).
 */
export function refuse(channel: Channel, sent: Outstanding, nack: { readonly message: string; readonly at: number }): void {
  channel.outstanding = undefined;
  channel.record.nack = nack;
  const names = [...sent.upserts.map(({ name }) => name), ...sent.removals];
  const [only] = sent.upserts;
  if (names.length > 1) channel.batches.push(...split(names, nack.message));
  else if (only) channel.record.rejected.set(only.name, only.version);
}

function split(names: readonly string[], message: string): readonly (readonly string[])[] {
  const named = new Set(names.filter((name) => message.includes(name)));
  if (named.size > 0 && named.size < names.length)
    return [names.filter((name) => !named.has(name)), ...[...named].map((name) => [name])];
  const middle = Math.ceil(names.length / 2);
  return [names.slice(0, middle), names.slice(middle)];
}

/** Types whose absence in the first request means everything; for endpoints, routes and secrets it means nothing. */
export const LEGACY_WILDCARD: ReadonlySet<TypeUrl> = new Set([
  resourceTypes.cluster,
  resourceTypes.listener,
  resourceTypes.configuration,
  resourceTypes.resiliency,
  resourceTypes.component,
  resourceTypes.actorResiliency,
  resourceTypes.subscription,
  resourceTypes.placement,
]);
