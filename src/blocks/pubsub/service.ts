import { messageOf } from '../../errors.js';
import type { Subscription } from '../../gen/weft/config/v1/config.js';
import { backoff, sleep } from '../../lib/async.js';
import type { Logger } from '../../telemetry/logger.js';
import type { AppChannel } from '../app/channel.js';
import type { AppCallback } from '../app/grpc-callback.js';
import type { ComponentListener } from '../component-host.js';
import type { ConfigChange, ConfigSource } from '../config-source.js';
import type { SubscriptionMetadata } from '../runtime.js';
import { ActiveSubscriptions, type Wanted } from './active-subscriptions.js';
import { createGrpcSink } from './deliver-grpc.js';
import { createHttpSink } from './deliver-http.js';
import { listGrpcSubscriptions, listHttpSubscriptions } from './programmatic.js';
import { createPublisher, type Publisher, type PubSubLookup } from './publisher.js';
import { compileRoutes } from './routing.js';
import { topicScopes } from './scopes.js';
import type { EventSink } from './sink.js';
import { type StreamRequest, StreamSubscriptions } from './stream-subscriptions.js';
import { createSubscriber } from './subscriber.js';
import { describeSubscription, fromResource, mergeSubscriptions, type TopicSubscription } from './subscription.js';

export interface PubSubServiceOptions {
  readonly appId: string;
  readonly namespace: string;
  /** The component host. */
  readonly host: PubSubLookup & { onChange(listener: ComponentListener): () => void };
  readonly config: ConfigSource;
  readonly app: AppChannel;
  /** Needed when the app speaks gRPC; shared with invocation. */
  readonly callback?: AppCallback;
  readonly logger: Logger;
  /** False: the app is not asked for its subscriptions (`--disable-init-endpoints=subscribe`). Default true. */
  readonly askApp?: boolean;
  /** Milliseconds that a handler may take for one event. Default 10 minutes. */
  readonly deliveryTimeoutMs?: number;
  /** Milliseconds since the epoch. Default: the clock. */
  readonly now?: () => number;
  /** What counts and traces publishing and delivery. */
  readonly observe?: { publisher(publisher: Publisher): Publisher; sink(sink: EventSink): EventSink };
}

/** The pub/sub block (reference §1.5, §2.3–2.5): publishing at once, subscriptions while the app is ready. */
export interface PubSubService extends Publisher {
  /** The app is ready: asks it for its subscriptions (again and again until it answers) and subscribes. Idempotent. */
  start(): Promise<void>;
  /** Takes no further event, gives events under way `deadlineMs`, the rest goes back to the broker. `start` may follow. */
  stop(deadlineMs: number): Promise<void>;
  /** A client's streaming subscription; in force when the promise resolves. @throws AppError, Error */
  openStream(request: StreamRequest, sink: EventSink): Promise<{ stop(deadlineMs: number): Promise<void> }>;
  /** In force, for the metadata API. */
  subscriptions(): readonly SubscriptionMetadata[];
}

const DELIVERY_TIMEOUT_MS = 600_000;
/** What a subscription that is replaced may still take for events under way; less than the host gives its listeners. */
const REPLACE_DEADLINE_MS = 4_000;

/** @returns the service; it follows `config` and `host` from now on, and delivers nothing before `start` */
export function createPubSubService(options: PubSubServiceOptions): PubSubService {
  return new Service(options);
}

class Service implements PubSubService {
  readonly #options: PubSubServiceOptions;
  readonly #publisher: Publisher;
  readonly #streams: StreamSubscriptions;
  readonly #active: ActiveSubscriptions;
  readonly #sink: EventSink | undefined;
  readonly #declarative = new Map<string, TopicSubscription>();
  /** Undefined: the app has not been asked yet. */
  #programmatic: readonly TopicSubscription[] | undefined;
  #wanted: ReadonlyMap<string, Wanted> = new Map();
  #running: AbortController | undefined;
  /** The question that is under way, and for which `start` it is. */
  #asking: { readonly signal: AbortSignal; readonly done: Promise<void> } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: PubSubServiceOptions) {
    const now = options.now ?? Date.now;
    this.#options = options;
    const { observe } = options;
    const publisher = createPublisher({ ...options, now });
    this.#publisher = observe?.publisher(publisher) ?? publisher;
    const sink = appSink(options);
    this.#sink = sink && observe ? observe.sink(sink) : sink;
    const subscriber = createSubscriber({ ...options, now, publisher: this.#publisher });
    const { logger } = options;
    this.#active = new ActiveSubscriptions({ logger, subscribe: (wanted) => subscriber(wanted, this.#sink) });
    this.#streams = new StreamSubscriptions({ ...options, subscribe: subscriber });
    options.config.on('subscription', (change) => this.#apply(change));
    options.host.onChange(async (event) => {
      if (event.block !== 'pubsub') return;
      // The first component that appears is the reason to ask the app; its answer is nothing to keep the host waiting for.
      void this.#askApp().then(() => this.#reconcile());
      await Promise.all([this.#streams.follow(REPLACE_DEADLINE_MS), this.#reconcile()]);
    });
  }

  check: Publisher['check'] = (target) => this.#publisher.check(target);
  publish: Publisher['publish'] = (call) => this.#publisher.publish(call);
  bulkPublish: Publisher['bulkPublish'] = (call) => this.#publisher.bulkPublish(call);
  forward: Publisher['forward'] = (name, topic, message) => this.#publisher.forward(name, topic, message);

  async start(): Promise<void> {
    if (this.#running || !this.#sink) return;
    this.#running = new AbortController();
    await this.#askApp();
    await this.#reconcile();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#running?.abort();
    this.#running = undefined;
    this.#programmatic = undefined;
    await Promise.all([this.#streams.stop(deadlineMs), this.#reconcile(deadlineMs)]);
  }

  openStream(request: StreamRequest, sink: EventSink): Promise<{ stop(deadlineMs: number): Promise<void> }> {
    return this.#streams.open(request, sink);
  }

  subscriptions(): readonly SubscriptionMetadata[] {
    // What the broker has not taken yet would be announced too early: a publish that relies on it is lost.
    const own = [...this.#wanted].filter(([key]) => this.#active.isInForce(key)).map(([, { subscription }]) => subscription);
    return [...own, ...this.#streams.list()].map(describeSubscription);
  }

  async #apply(change: ConfigChange<Subscription>): Promise<void> {
    // Refused before anything changes: a rule that is not CEL leaves the whole set as it was.
    const { appId, logger } = this.#options;
    const updated = new Map<string, TopicSubscription | undefined>();
    for (const [name, resource] of change.updated) {
      const subscription = fromResource(resource);
      try {
        compileRoutes(subscription.rules, logger);
      } catch (error) {
        throw new Error(`subscription ${resource.name} (${resource.source || 'no file'}): ${messageOf(error)}`);
      }
      updated.set(name, resource.scopes.length === 0 || resource.scopes.includes(appId) ? subscription : undefined);
    }
    for (const name of change.removed) this.#declarative.delete(name);
    for (const [name, subscription] of updated) {
      if (subscription) this.#declarative.set(name, subscription);
      else this.#declarative.delete(name);
    }
    await this.#reconcile();
  }

  /** One after the other: each sees what the one before left. */
  #reconcile(deadlineMs = REPLACE_DEADLINE_MS): Promise<void> {
    const turn = this.#queue.then(async () => {
      // Until the app has answered, a declarative subscription may be one that it replaces.
      this.#wanted = this.#running && this.#programmatic ? this.#want() : new Map();
      await this.#active.reconcile(this.#wanted, deadlineMs);
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Resolves when the app has answered, whoever asked it. */
  #askApp(): Promise<void> {
    const { host } = this.#options;
    const signal = this.#running?.signal;
    if (!signal || this.#programmatic || host.all('pubsub').length === 0) return Promise.resolve();
    // A question of before a stop may still be open: its answer will count for nothing.
    if (this.#asking?.signal !== signal) this.#asking = { signal, done: this.#ask(signal) };
    return this.#asking.done;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const wait = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!signal.aborted && !this.#programmatic) {
      try {
        const listed = await this.#listed();
        if (!signal.aborted) this.#programmatic = listed;
      } catch (error) {
        logger.warn('cannot read the subscriptions of the app, trying again', { error: messageOf(error) });
        await sleep(50 + wait.next(), signal);
      }
    }
    if (this.#asking?.signal === signal) this.#asking = undefined;
  }

  async #listed(): Promise<readonly TopicSubscription[]> {
    const { app, callback, appId, logger, askApp = true } = this.#options;
    if (!askApp) return [];
    if (app.kind === 'http') return listHttpSubscriptions(app.http, appId, logger);
    return callback ? listGrpcSubscriptions(callback, logger) : [];
  }

  #want(): ReadonlyMap<string, Wanted> {
    const { host, appId, logger } = this.#options;
    const declarative = [...this.#declarative].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subscription]) => subscription);
    const wanted = new Map<string, Wanted>();
    for (const [key, subscription] of mergeSubscriptions(declarative, this.#programmatic ?? [])) {
      const { pubsubName: pubsub, topic } = subscription;
      const hosted = host.pubsub(pubsub);
      if (!hosted) logger.warn('subscription to a pub/sub component that is not there, left out', { pubsub, topic });
      else if (!topicScopes(hosted.spec.metadata, appId).maySubscribe(topic))
        logger.warn('subscription to a topic that this app may not read, left out', { pubsub, topic });
      else wanted.set(key, { subscription, hosted });
    }
    return wanted;
  }
}

function appSink({
  app,
  callback,
  deliveryTimeoutMs: timeoutMs = DELIVERY_TIMEOUT_MS,
}: PubSubServiceOptions): EventSink | undefined {
  if (app.kind === 'http') return createHttpSink({ http: app.http, timeoutMs });
  if (app.kind === 'grpc' && callback) return createGrpcSink({ callback, timeoutMs });
  return undefined;
}
