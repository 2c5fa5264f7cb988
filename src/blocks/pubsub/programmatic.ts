import { grpcCode } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { HttpChannel } from '../app/channel.js';
import type { AppCallback } from '../app/grpc-callback.js';
import type { RouteRule } from './routing.js';
import { bulkSettings, type TopicSubscription, withDefault } from './subscription.js';

/** Subscriptions that the app itself names (reference §2.3): GET /dapr/subscribe, or ListTopicSubscriptions. */

const NOT_UP_YET: ReadonlySet<number> = new Set([502, 503, 504]);

/** @throws Error when the app cannot be reached; the caller tries again */
export async function listHttpSubscriptions(
  http: HttpChannel,
  appId: string,
  logger: Logger,
): Promise<readonly TopicSubscription[]> {
  const reply = await http.request({
    method: 'GET',
    path: '/dapr/subscribe',
    headers: { 'content-type': 'application/json', 'dapr-app-id': appId },
    timeoutMs: 10_000,
  });
  if (reply.status === 404) return [];
  // What a framework or a proxy says for an app that is not up yet is no answer of the app's.
  if (NOT_UP_YET.has(reply.status)) throw new Error(`app answered GET /dapr/subscribe with status ${reply.status}`);
  if (reply.status !== 200) {
    logger.error(`app answered GET /dapr/subscribe with status ${reply.status}, taken as no subscriptions`);
    return [];
  }
  const text = reply.body.toString().trim();
  if (text === '') return [];
  const list = parse(text);
  if (list === null) return [];
  // An app that answers every path with something of its own subscribes to nothing; asking again would not change that.
  if (!Array.isArray(list)) {
    logger.error('app answered GET /dapr/subscribe with something that is not a JSON array, taken as no subscriptions');
    return [];
  }
  return withRoutes(list.map(fromJson), logger);
}

/** @throws ServiceError when the app cannot be reached; the caller tries again */
export async function listGrpcSubscriptions(callback: AppCallback, logger: Logger): Promise<readonly TopicSubscription[]> {
  try {
    const { subscriptions } = await callback.listTopicSubscriptions({ timeoutMs: 10_000 });
    return withRoutes(
      subscriptions.map((item): TopicSubscription => {
        const rules = withDefault(item.routes?.rules ?? [], item.routes?.default);
        return {
          pubsubName: item.pubsubName,
          topic: item.topic,
          metadata: item.metadata,
          // gRPC apps dispatch by topic: without routes every event goes to OnTopicEvent with an empty path.
          rules: rules.length > 0 ? rules : [{ match: '', path: '' }],
          deadLetterTopic: item.deadLetterTopic,
          bulk: bulkSettings(item.bulkSubscribe),
          kind: 'PROGRAMMATIC',
        };
      }),
      logger,
    );
  } catch (error) {
    if ((error as { code?: unknown }).code !== grpcCode.unimplemented) throw error;
    logger.info('gRPC app does not implement ListTopicSubscriptions, taken as no subscriptions');
    return [];
  }
}

function withRoutes(subscriptions: readonly TopicSubscription[], logger: Logger): readonly TopicSubscription[] {
  return subscriptions.filter((subscription) => {
    if (subscription.rules.length > 0) return true;
    logger.warn(`subscription of topic ${subscription.topic} names no route and is left out`);
    return false;
  });
}

/** @returns undefined when `text` is not JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromJson(item: unknown): TopicSubscription {
  const fields = lowerKeys(item);
  const routes = lowerKeys(fields.routes);
  const rules = Array.isArray(routes.rules) ? routes.rules.map(ruleFromJson) : [];
  const bulk = lowerKeys(fields.bulksubscribe);
  return {
    pubsubName: textOf(fields.pubsubname),
    topic: textOf(fields.topic),
    metadata: textMap(fields.metadata),
    rules: withDefault(rules, textOf(routes.default) || textOf(fields.route)),
    deadLetterTopic: textOf(fields.deadlettertopic),
    bulk: bulkSettings({
      enabled: bulk.enabled === true,
      maxMessagesCount: numberOf(bulk.maxmessagescount),
      maxAwaitDurationMs: numberOf(bulk.maxawaitdurationms),
    }),
    kind: 'PROGRAMMATIC',
  };
}

function ruleFromJson(rule: unknown): RouteRule {
  const fields = lowerKeys(rule);
  return { match: textOf(fields.match), path: textOf(fields.path) };
}

/** Field names match whatever their case, as in the decoder that apps were written against (reference §1.1). */
function lowerKeys(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]));
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0);

function textMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, String(field)]));
}
