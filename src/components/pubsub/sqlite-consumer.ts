import { setMaxListeners } from 'node:events';
import type { BrokerSubscription, MessageHandler } from '../../blocks/pubsub/contract.js';
import { messageOf } from '../../errors.js';
import { withDeadline } from '../../lib/async.js';
import type { Logger } from '../../telemetry/logger.js';
import type { SqliteDatabase } from '../sqlite/database.js';
import { redeliveryDelay } from './options.js';
import type { SqliteBrokerOptions } from './sqlite-options.js';
import type { BrokerRows, Claimed, Group } from './sqlite-rows.js';
import type { GroupWriter } from './sqlite-writer.js';

export interface ConsumerOptions {
  readonly database: SqliteDatabase;
  readonly rows: BrokerRows;
  readonly writer: GroupWriter;
  readonly group: Group;
  readonly consumerId: string;
  /** Unique among all consumers of all processes: the holder of the leases. */
  readonly owner: string;
  readonly handler: MessageHandler;
  readonly options: SqliteBrokerOptions;
  readonly logger: Logger;
  readonly onStop: () => void;
}

const SEEN_INTERVAL_MS = 60_000;
/** When the file could not be read or written, until the next attempt. */
const TROUBLE_PAUSE_MS = 1_000;

/** One subscription: claims messages while it has room, holds their leases while handlers run, settles them. */
export class SqliteConsumer implements BrokerSubscription {
  readonly #options: ConsumerOptions;
  #group: Group;
  readonly #stopping = new AbortController();
  readonly #underWay = new Map<number, Promise<void>>();
  readonly #renewal: NodeJS.Timeout;
  readonly #presence: NodeJS.Timeout;
  #alarm: NodeJS.Timeout | undefined;
  #claiming = false;
  #again = false;
  #stopped: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#group = options.group;
    // One listener a message under way is what it is for, not a leak.
    setMaxListeners(0, this.#stopping.signal);
    // Three chances a lease.
    this.#renewal = setInterval(() => this.#renew(), options.options.processingTimeout / 3);
    const presenceMs = Math.min(SEEN_INTERVAL_MS, options.options.consumerExpiry / 3);
    this.#presence = setInterval(() => this.#showPresence(), Math.max(presenceMs, 1));
    this.#renewal.unref();
    this.#presence.unref();
  }

  get topic(): string {
    return this.#group.topic;
  }

  /** Something may be there to claim. @param certainly true: a look into the file first is not worth it */
  wake(certainly = false): void {
    if (this.#claiming) {
      this.#again = true;
      return;
    }
    if (this.#stopped || this.#room() <= 0) return;
    if (!certainly && !this.#hasWork()) return;
    this.#claiming = true;
    void this.#claim();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  #room(): number {
    return this.#options.options.maxInFlight - this.#underWay.size;
  }

  /** Also sets the alarm for the next message that becomes due by itself. */
  #hasWork(): boolean {
    const { database, rows } = this.#options;
    try {
      const outlook = database.run(() => rows.outlook(this.#group));
      if (outlook instanceof Promise) {
        // Locked for a moment: whoever locks it is about to write.
        outlook.catch(() => {});
        this.#wakeIn(10);
        return false;
      }
      if (!outlook.ready && outlook.dueAt !== undefined) this.#wakeIn(outlook.dueAt - Date.now());
      return outlook.ready;
    } catch (error) {
      this.#trouble(error);
      return false;
    }
  }

  async #claim(): Promise<void> {
    const { writer, rows, owner } = this.#options;
    this.#again = false;
    let full = false;
    try {
      const claimed = await writer.write(() => {
        // As late as possible: by now there may be room for more, or the subscription may have been stopped.
        const limit = this.#stopped ? 0 : this.#room();
        const found = limit > 0 ? rows.claim({ group: this.#group, owner, limit }) : [];
        full = found.length === limit;
        return found;
      });
      for (const item of claimed) this.#start(item);
    } catch (error) {
      this.#claiming = false;
      // Who cannot write may still see messages lie there: asking again at once would go on without a pause.
      return this.#trouble(error);
    }
    this.#claiming = false;
    // A full hand means more may lie there, which room that comes free will ask for; else nothing is left but what falls due.
    if (this.#again || !full) this.wake();
  }

  #start(item: Claimed): void {
    const running = this.#handle(item).finally(() => {
      this.#underWay.delete(item.id);
      // The first message that leaves room looks for more; the others find that look under way.
      this.wake();
    });
    this.#underWay.set(item.id, running);
  }

  async #handle({ id, attempt, message }: Claimed): Promise<void> {
    const { handler, rows, owner, options } = this.#options;
    const group = this.#group;
    try {
      await handler(message, this.#stopping.signal);
    } catch {
      if (this.#stopping.signal.aborted) return;
      const dueAt = Date.now() + redeliveryDelay(attempt, options.redeliverInterval, options.maxRedeliverInterval);
      await this.#settle(() => rows.nack(group, id, owner, dueAt));
      return;
    }
    await this.#settle(() => rows.ack(group, id, owner));
  }

  /** A message whose ack does not get through comes again when its lease has run out. */
  async #settle(action: () => void): Promise<void> {
    try {
      await this.#options.writer.write(action);
    } catch (error) {
      this.#options.logger.warn('a message could not be settled and will come again', {
        topic: this.topic,
        error: messageOf(error),
      });
    }
  }

  #renew(): void {
    const { rows, owner } = this.#options;
    if (this.#underWay.size > 0) void this.#settle(() => rows.renew(this.#group, owner));
  }

  /** A group that was forgotten all the same (the machine slept, say) is made again: without it nothing would ever come. */
  #showPresence(): void {
    const { rows, consumerId, logger } = this.#options;
    void this.#settle(() => {
      if (this.#stopped || rows.seen(this.#group, consumerId)) return;
      this.#group = rows.group(this.topic, consumerId);
      logger.warn('this consumer group was forgotten and is made again, from now on', { topic: this.topic, consumerId });
      setImmediate(() => this.wake());
    });
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#alarm);
    if (this.#stopped) return;
    this.#alarm = setTimeout(() => this.wake(), Math.min(Math.max(ms, 1), 60_000));
    this.#alarm.unref();
  }

  #trouble(error: unknown): void {
    this.#options.logger.error('the broker file cannot be read or written, trying again', {
      topic: this.topic,
      error: messageOf(error),
    });
    this.#wakeIn(TROUBLE_PAUSE_MS);
  }

  async #stop(deadlineMs: number): Promise<void> {
    const { rows, owner, onStop } = this.#options;
    clearTimeout(this.#alarm);
    onStop();
    await withDeadline(this.#drained(), deadlineMs, 'handlers under way').catch(() => {});
    this.#stopping.abort();
    clearInterval(this.#renewal);
    clearInterval(this.#presence);
    await this.#settle(() => rows.giveBack(this.#group, owner));
  }

  async #drained(): Promise<void> {
    while (this.#claiming || this.#underWay.size > 0) {
      await Promise.all(this.#underWay.values());
      await new Promise(setImmediate);
    }
  }
}
