import type { Logger } from '../../telemetry/logger.js';
import type { Wanted } from './active-subscriptions.js';
import { createBulkDelivery } from './bulk-delivery.js';
import type { BrokerSubscription } from './contract.js';
import { createDelivery, type DeliveryDeps, metadataValue } from './delivery.js';
import type { Publisher } from './publisher.js';
import { compileRoutes } from './routing.js';
import type { EventSink } from './sink.js';

export interface SubscriberOptions {
  readonly appId: string;
  readonly namespace: string;
  readonly publisher: Publisher;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Brings a subscription in force on its broker. @throws Error when the broker refuses it */
export type Subscribe = (wanted: Wanted, sink: EventSink | undefined) => Promise<BrokerSubscription>;

/** @returns what joins broker, rules and sink */
export function createSubscriber({ appId, namespace, publisher, logger, now }: SubscriberOptions): Subscribe {
  return async ({ subscription, hosted }, sink) => {
    if (!sink) throw new Error('there is no app to deliver to; start the sidecar with --app-port');
    const { pubsubName, topic, metadata } = subscription;
    let stopping = false;
    const router = compileRoutes(subscription.rules, logger);
    const deps: DeliveryDeps = {
      sink,
      policy: () => hosted.inbound,
      publish: (deadLetterTopic, message) => publisher.forward(pubsubName, deadLetterTopic, message),
      stopping: () => stopping,
      logger,
      now,
    };
    const { bulk } = subscription;
    const { deliverBulk } = sink;
    const handler =
      bulk && deliverBulk
        ? createBulkDelivery({ ...subscription, bulk }, router, { ...deps, deliverBulk })
        : createDelivery(subscription, router, deps);
    const consumerId = metadataValue(metadata, 'consumerid') ?? hosted.spec.metadata.get('consumerid') ?? appId;
    const broker = await hosted.component.subscribe(
      { topic: hosted.namespaced ? namespace + topic : topic, consumerId, metadata },
      handler,
    );
    logger.info('subscribed', { pubsub: pubsubName, topic, type: subscription.kind });
    return {
      stop(deadlineMs) {
        stopping = true;
        return broker.stop(deadlineMs);
      },
    };
  };
}
