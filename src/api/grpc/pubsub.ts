import type { PubSubService } from '../../blocks/pubsub/service.js';
import type { BulkPublishRequest, BulkPublishResponse } from '../../gen/dapr/proto/runtime/v1/pubsub.js';
import { callerOf } from './caller.js';
import type { DaprMethods } from './methods.js';
import { subscribeTopicEvents } from './subscribe.js';
import { grpcTrace } from './trace.js';
import { unary } from './unary.js';

/** Publishing and streaming subscriptions over gRPC (reference §3.6). */
export function pubsubMethods(service: PubSubService): DaprMethods {
  const bulkPublish = unary<BulkPublishRequest, BulkPublishResponse>(async (request, call) => {
    const { pubsubName, topic, metadata } = request;
    const entries = request.entries.map(({ entryId, event, contentType, metadata: own }) => ({
      entryId,
      data: event,
      contentType,
      // An absent map and an empty one are the same on the wire.
      metadata: Object.keys(own).length > 0 ? own : undefined,
    }));
    const trace = grpcTrace(call.metadata);
    const failed = await service.bulkPublish({ pubsubName, topic, metadata, entries, trace, caller: callerOf(call) });
    return { failedEntries: [...failed] };
  });
  return {
    publishEvent: unary(async ({ pubsubName, topic, data, dataContentType: contentType, metadata }, call) => {
      const trace = grpcTrace(call.metadata);
      await service.publish({ pubsubName, topic, data, contentType, metadata, trace, caller: callerOf(call) });
      return {};
    }),
    bulkPublishEvent: bulkPublish,
    bulkPublishEventAlpha1: bulkPublish,
    subscribeTopicEventsAlpha1: subscribeTopicEvents(service),
  };
}
