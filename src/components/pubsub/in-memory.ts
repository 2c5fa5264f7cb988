import type { ComponentFactory } from '../../blocks/component.js';
import type {
  BrokerSubscription,
  MessageHandler,
  PublishRequest,
  PubSub,
  SubscribeRequest,
} from '../../blocks/pubsub/contract.js';
import { duration, type Options, readOptions } from '../options.js';
import { MemoryGroup } from './memory-group.js';
import { wholeNumber } from './options.js';

export const inMemoryOptions = {
  /** Messages of one consumer group that wait or are under way; more are refused. */
  maxLength: wholeNumber(100_000, 1),
  /** The same in bytes of data: a queue is memory of this process. */
  maxBytes: wholeNumber(128 * 1024 * 1024, 1),
  /** Messages that one subscription handles at a time. 1: strictly one after the other. */
  maxInFlight: wholeNumber(1000, 1),
  /** Until a failed message comes again, doubled each time up to `maxRedeliverInterval`. */
  redeliverInterval: duration(500),
  maxRedeliverInterval: duration(30_000),
};

export type InMemoryOptions = Options<typeof inMemoryOptions>;

/** @returns a broker that lives and dies with this process: other sidecars neither hear it nor are heard */
export const createInMemoryPubSub: ComponentFactory<PubSub> = async (spec) =>
  new InMemoryPubSub(readOptions(spec, inMemoryOptions));

class InMemoryPubSub implements PubSub {
  readonly capabilities = [] as const;
  readonly #options: InMemoryOptions;
  /** Topic → consumer group → queue. */
  readonly #topics = new Map<string, Map<string, MemoryGroup>>();

  constructor(options: InMemoryOptions) {
    this.#options = options;
  }

  async publish(request: PublishRequest): Promise<void> {
    const groups = this.#topics.get(request.topic);
    if (!groups) return;
    for (const [consumerId, group] of groups) {
      const limit = group.limitFor(request);
      if (limit)
        throw new Error(
          `consumer ${consumerId} has ${group.length} messages of topic ${request.topic} waiting, as many as ${limit} allows; raise it or consume faster`,
        );
    }
    for (const group of groups.values()) group.push(request);
  }

  async subscribe({ topic, consumerId }: SubscribeRequest, handler: MessageHandler): Promise<BrokerSubscription> {
    const groups = this.#topics.get(topic) ?? new Map<string, MemoryGroup>();
    this.#topics.set(topic, groups);
    const group = groups.get(consumerId) ?? new MemoryGroup(this.#options);
    groups.set(consumerId, group);
    return group.join(handler);
  }

  async close(): Promise<void> {
    for (const groups of this.#topics.values()) for (const group of groups.values()) group.close();
    this.#topics.clear();
  }
}
