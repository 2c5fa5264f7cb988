import { AppError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import { ActiveSubscriptions, type Wanted } from './active-subscriptions.js';
import { missing, type PubSubLookup } from './publisher.js';
import { topicScopes } from './scopes.js';
import type { EventSink } from './sink.js';
import type { Subscribe } from './subscriber.js';
import type { TopicSubscription } from './subscription.js';

export interface StreamRequest {
  readonly pubsubName: string;
  readonly topic: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly deadLetterTopic?: string;
}

export interface StreamOptions {
  readonly host: PubSubLookup;
  readonly appId: string;
  readonly subscribe: Subscribe;
  readonly logger: Logger;
}

interface Stream {
  readonly subscription: TopicSubscription;
  readonly sink: EventSink;
}

/** Subscriptions that live as long as a client's stream (reference §2.5). They need no app port and know no routing and no bulk. */
export class StreamSubscriptions {
  readonly #options: StreamOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #active: ActiveSubscriptions;
  #next = 1;
  #following: Promise<unknown> = Promise.resolve();

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#active = new ActiveSubscriptions({
      logger: options.logger,
      subscribe: (wanted) => options.subscribe(wanted, this.#sinkOf(wanted.subscription)),
    });
  }

  /** @throws AppError when the component is not there or the topic is not allowed, Error when the broker refuses */
  async open(request: StreamRequest, sink: EventSink): Promise<{ stop(deadlineMs: number): Promise<void> }> {
    const { host, appId } = this.#options;
    const hosted = host.pubsub(request.pubsubName);
    if (!hosted) throw missing(host, request.pubsubName, appId);
    if (!topicScopes(hosted.spec.metadata, appId).maySubscribe(request.topic))
      throw new AppError('pubsubForbidden', { name: request.pubsubName, topic: request.topic, appId });
    const key = `stream ${this.#next++}`;
    const subscription: TopicSubscription = {
      ...request,
      rules: [{ match: '', path: '/' }],
      deadLetterTopic: request.deadLetterTopic ?? '',
      kind: 'STREAMING',
    };
    this.#streams.set(key, { subscription, sink });
    try {
      await this.#active.add(key, { subscription, hosted });
    } catch (error) {
      this.#streams.delete(key);
      throw error;
    }
    return {
      stop: async (deadlineMs) => {
        this.#streams.delete(key);
        await this.#active.remove(key, deadlineMs);
      },
    };
  }

  /** Moves the streams of replaced components over to the new ones. */
  follow(deadlineMs: number): Promise<void> {
    const turn = this.#following.then(() => this.#active.reconcile(this.#wanted(), deadlineMs));
    this.#following = turn.catch(() => {});
    return turn;
  }

  async stop(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#streams.keys()].map((key) => this.#active.remove(key, deadlineMs)));
  }

  list(): readonly TopicSubscription[] {
    return [...this.#streams.values()].map(({ subscription }) => subscription);
  }

  #wanted(): ReadonlyMap<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    for (const [key, { subscription }] of this.#streams) {
      const hosted = this.#options.host.pubsub(subscription.pubsubName);
      if (hosted) wanted.set(key, { subscription, hosted });
    }
    return wanted;
  }

  #sinkOf(subscription: TopicSubscription): EventSink | undefined {
    for (const stream of this.#streams.values()) if (stream.subscription === subscription) return stream.sink;
    return undefined;
  }
}
