import { z } from 'zod';
import type { Subscription } from '../../../gen/weft/config/v1/config.js';
import { strict } from '../problem.js';
import { list, optional, resource, scopes, text } from '../schema.js';

const count = optional(z.number().int().min(0).max(1_000_000));
const common = {
  pubsubname: text,
  topic: text,
  metadata: optional(z.record(z.string(), z.string())),
  deadLetterTopic: optional(z.string()),
  bulkSubscribe: optional(strict({ enabled: optional(z.boolean()), maxMessagesCount: count, maxAwaitDurationMs: count })),
};

export const subscriptionV1Schema = resource(['dapr.io/v1alpha1'], { spec: strict({ ...common, route: text }), scopes });

const routes = strict({
  rules: list(strict({ match: optional(z.string()), path: text })),
  default: optional(z.string()),
}).refine((value) => value.rules.length > 0 || value.default, { error: 'names no path; add default or rules' });

export const subscriptionV2Schema = resource(['dapr.io/v2alpha1'], { spec: strict({ ...common, routes }), scopes });

type V1 = z.infer<typeof subscriptionV1Schema>;
type V2 = z.infer<typeof subscriptionV2Schema>;

const MAX_MESSAGES = 100;
const MAX_AWAIT_MS = 1000;

/** @returns the subscription of a document of either version */
export function toSubscription(document: V1 | V2, source: string): Subscription {
  const { spec, metadata } = document;
  const bulk = spec.bulkSubscribe;
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    pubsubName: spec.pubsubname,
    topic: spec.topic,
    // In order, since it becomes part of a content hash.
    metadata: Object.fromEntries(Object.entries(spec.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
    rules: 'routes' in spec ? spec.routes.rules.map(({ match, path }) => ({ match: match ?? '', path })) : [],
    defaultPath: 'routes' in spec ? (spec.routes.default ?? '') : spec.route,
    deadLetterTopic: spec.deadLetterTopic ?? '',
    bulkSubscribe: bulk && {
      enabled: bulk.enabled ?? false,
      maxMessagesCount: bulk.maxMessagesCount || MAX_MESSAGES,
      maxAwaitDurationMs: bulk.maxAwaitDurationMs || MAX_AWAIT_MS,
    },
    scopes: document.scopes,
    source,
  };
}
