import type { Subscription } from '../../gen/weft/config/v1/config.js';
import type { SubscriptionMetadata } from '../runtime.js';
import type { RouteRule } from './routing.js';

/** One subscription as delivery sees it, wherever it came from. */
export interface TopicSubscription {
  readonly pubsubName: string;
  readonly topic: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In order; a rule with an empty match is the default. Never empty. */
  readonly rules: readonly RouteRule[];
  /** Empty: none. */
  readonly deadLetterTopic: string;
  readonly bulk?: BulkSettings;
  readonly kind: SubscriptionMetadata['type'];
}

export interface BulkSettings {
  readonly maxMessagesCount: number;
  readonly maxAwaitDurationMs: number;
}

const DEFAULT_BULK: BulkSettings = { maxMessagesCount: 100, maxAwaitDurationMs: 1000 };

/** @returns undefined when bulk is off; zeroes become the defaults (reference §2.5) */
export function bulkSettings(
  bulk: { readonly enabled?: boolean; readonly maxMessagesCount?: number; readonly maxAwaitDurationMs?: number } | undefined,
): BulkSettings | undefined {
  if (!bulk?.enabled) return undefined;
  return {
    maxMessagesCount: bulk.maxMessagesCount || DEFAULT_BULK.maxMessagesCount,
    maxAwaitDurationMs: bulk.maxAwaitDurationMs || DEFAULT_BULK.maxAwaitDurationMs,
  };
}

/** @returns rules with the default route, if there is one, as their last */
export function withDefault(rules: readonly RouteRule[], defaultPath: string | undefined): readonly RouteRule[] {
  return defaultPath ? [...rules, { match: '', path: defaultPath }] : rules;
}

/** @returns a Subscription resource as delivery sees it */
export function fromResource(resource: Subscription): TopicSubscription {
  return {
    pubsubName: resource.pubsubName,
    topic: resource.topic,
    metadata: resource.metadata,
    rules: withDefault(resource.rules, resource.defaultPath),
    deadLetterTopic: resource.deadLetterTopic,
    bulk: bulkSettings(resource.bulkSubscribe),
    kind: 'DECLARATIVE',
  };
}

/** @returns what two subscriptions of one app must not share */
export function subscriptionKey(subscription: Pick<TopicSubscription, 'pubsubName' | 'topic'>): string {
  return `${subscription.pubsubName}||${subscription.topic}`;
}

/** @returns a text that is equal exactly when nothing about the subscription has changed */
export function subscriptionContent(subscription: TopicSubscription): string {
  const metadata = Object.entries(subscription.metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ ...subscription, metadata });
}

/**
 * Merges what is wanted: the first declarative subscription of a topic stays, a programmatic one replaces it (reference §2.3).
 * @param declarative in order of resource name
 */
export function mergeSubscriptions(
  declarative: readonly TopicSubscription[],
  programmatic: readonly TopicSubscription[],
): ReadonlyMap<string, TopicSubscription> {
  const merged = new Map<string, TopicSubscription>();
  for (const subscription of declarative) {
    const key = subscriptionKey(subscription);
    if (!merged.has(key)) merged.set(key, subscription);
  }
  for (const subscription of programmatic) merged.set(subscriptionKey(subscription), subscription);
  return merged;
}

/** @returns the subscription as the metadata API shows it */
export function describeSubscription(subscription: TopicSubscription): SubscriptionMetadata {
  return {
    pubsubname: subscription.pubsubName,
    topic: subscription.topic,
    metadata: subscription.metadata,
    rules: subscription.rules,
    deadLetterTopic: subscription.deadLetterTopic,
    type: subscription.kind,
  };
}
