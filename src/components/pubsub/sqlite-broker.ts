import type {
  BrokerSubscription,
  MessageHandler,
  PublishRequest,
  PubSub,
  SubscribeRequest,
} from '../../blocks/pubsub/contract.js';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { SqliteDatabase } from '../sqlite/database.js';
import { Checkpointer } from './sqlite-checkpoint.js';
import { SqliteConsumer } from './sqlite-consumer.js';
import type { SqliteBrokerOptions } from './sqlite-options.js';
import { BrokerRows } from './sqlite-rows.js';
import { ChangeSignal } from './sqlite-signal.js';
import { GroupWriter } from './sqlite-writer.js';

export interface BrokerDeps {
  readonly database: SqliteDatabase;
  /** The database file. */
  readonly path: string;
  readonly options: SqliteBrokerOptions;
  /** Unique to this broker object; what its leases are named by. */
  readonly consumer: string;
  readonly logger: Logger;
}

const CLEAN_INTERVAL_MS = 1_000;
/** Even without work of ours, other processes may have left something. */
const CLEAN_AT_LEAST_EVERY = 60;
const CLEAN_LIMIT = 500;

/** A durable broker in an SQLite file. Every process that opens the file has one; they find each other's messages through it. */
export class SqliteBroker implements PubSub {
  readonly capabilities = ['MESSAGE_TTL', 'BULK_PUBLISH'] as const;
  readonly #deps: BrokerDeps;
  readonly #rows: BrokerRows;
  readonly #writer: GroupWriter;
  readonly #signal: ChangeSignal;
  readonly #checkpointer: Checkpointer;
  readonly #cleaning: NodeJS.Timeout;
  readonly #consumers = new Set<SqliteConsumer>();
  #nextConsumer = 1;
  #dirty = true;
  #rounds = 0;
  #closed: Promise<void> | undefined;

  constructor(deps: BrokerDeps) {
    const { database, path, options, logger } = deps;
    const walPath = `${path}-wal`;
    this.#deps = deps;
    this.#rows = new BrokerRows(database.db, options, Date.now);
    this.#checkpointer = new Checkpointer(path, logger);
    this.#writer = new GroupWriter({
      database,
      rows: this.#rows,
      walPath,
      sync: options.synchronous === 'full',
      onCommit: () => {
        this.#dirty = true;
        this.#checkpointer.committed();
      },
    });
    this.#signal = new ChangeSignal(database.db, walPath, () => {
      for (const consumer of this.#consumers) consumer.wake();
    });
    // Not all processes at the same moment.
    this.#cleaning = setInterval(() => this.#clean(), CLEAN_INTERVAL_MS * (0.8 + Math.random() * 0.4));
    this.#cleaning.unref();
  }

  async publish(request: PublishRequest): Promise<void> {
    const published = this.#publish(request);
    this.#wake(request.topic);
    await published;
  }

  async bulkPublish(requests: readonly PublishRequest[]): Promise<readonly { readonly index: number; readonly error: string }[]> {
    const published = requests.map((request) => this.#publish(request));
    for (const topic of new Set(requests.map((request) => request.topic))) this.#wake(topic);
    const results = await Promise.allSettled(published);
    return results.flatMap((result, index) => (result.status === 'rejected' ? [{ index, error: messageOf(result.reason) }] : []));
  }

  async subscribe({ topic, consumerId }: SubscribeRequest, handler: MessageHandler): Promise<BrokerSubscription> {
    const { database, options, logger, consumer } = this.#deps;
    const group = await this.#writer.writeDurably(() => this.#rows.group(topic, consumerId));
    const subscription = new SqliteConsumer({
      database,
      rows: this.#rows,
      writer: this.#writer,
      group,
      consumerId,
      owner: `${consumer}/${this.#nextConsumer++}`,
      handler,
      options,
      logger,
      onStop: () => this.#consumers.delete(subscription),
    });
    this.#consumers.add(subscription);
    subscription.wake();
    return subscription;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #publish(request: PublishRequest): Promise<void> {
    const room = this.#checkpointer.room();
    return room ? room.then(() => this.#write(request)) : this.#write(request);
  }

  #write(request: PublishRequest): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the broker is closed'));
    const { ttlInSeconds, ...metadata } = request.metadata;
    const ttlMs = ttlInSeconds === undefined ? undefined : Number(ttlInSeconds) * 1000;
    return this.#writer.writeDurably(() => this.#rows.publish({ ...request, metadata }, ttlMs));
  }

  /** Consumers of this process claim in the very transaction that publishes. */
  #wake(topic: string): void {
    for (const consumer of this.#consumers) if (consumer.topic === topic) consumer.wake(true);
  }

  #clean(): void {
    if (!this.#dirty && ++this.#rounds % CLEAN_AT_LEAST_EVERY !== 0) return;
    this.#writer
      .write(() => this.#rows.clean(CLEAN_LIMIT))
      .then(
        (more) => {
          // The cleaning's own commit does not count; what shared its transaction waits for the next one.
          this.#dirty = more;
          if (more && !this.#closed) setImmediate(() => this.#clean());
        },
        (error) => this.#deps.logger.warn('read messages were not removed', { error: messageOf(error) }),
      );
  }

  async #close(): Promise<void> {
    clearInterval(this.#cleaning);
    this.#signal.close();
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop(0)));
    await this.#writer.close();
    await this.#checkpointer.close();
    this.#deps.database.close();
  }
}
