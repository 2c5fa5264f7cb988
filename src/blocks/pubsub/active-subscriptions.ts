import { messageOf } from '../../errors.js';
import { backoff, sleep } from '../../lib/async.js';
import type { Logger } from '../../telemetry/logger.js';
import type { BrokerSubscription } from './contract.js';
import type { HostedPubSub } from './publisher.js';
import { subscriptionContent, type TopicSubscription } from './subscription.js';

/** A subscription that should be in force, and the component that it should be in force on. */
export interface Wanted {
  readonly subscription: TopicSubscription;
  readonly hosted: HostedPubSub;
}

export interface ActiveOptions {
  readonly subscribe: (wanted: Wanted) => Promise<BrokerSubscription>;
  readonly logger: Logger;
}

interface Active {
  readonly content: string;
  readonly hosted: HostedPubSub;
  readonly abort: AbortController;
  /** Settles, never rejects, when the broker has taken the subscription or the first attempt failed. */
  readonly tried: Promise<void>;
  broker: BrokerSubscription | undefined;
}

/** Keeps what is subscribed equal to what is wanted, one subscription at a time: what did not change is not touched. */
export class ActiveSubscriptions {
  readonly #options: ActiveOptions;
  readonly #active = new Map<string, Active>();

  constructor(options: ActiveOptions) {
    this.#options = options;
  }

  /** Stops what is no longer wanted or has changed, then starts what is new. Calls must not overlap. */
  async reconcile(wanted: ReadonlyMap<string, Wanted>, stopDeadlineMs: number): Promise<void> {
    const stale = [...this.#active].filter(([key, active]) => !isCurrent(active, wanted.get(key)));
    await Promise.all(stale.map(([key]) => this.#stop(key, stopDeadlineMs)));
    const started: Promise<void>[] = [];
    for (const [key, item] of wanted) if (!this.#active.has(key)) started.push(this.#start(key, item));
    await Promise.all(started);
  }

  /** @returns whether the broker has taken the subscription */
  isInForce(key: string): boolean {
    return this.#active.get(key)?.broker !== undefined;
  }

  /** Starts one subscription beside the reconciled ones. @throws Error when the broker refuses it */
  async add(key: string, wanted: Wanted): Promise<void> {
    const broker = await this.#options.subscribe(wanted);
    this.#active.set(key, { ...activeOf(wanted), tried: Promise.resolve(), broker });
  }

  async remove(key: string, stopDeadlineMs: number): Promise<void> {
    await this.#stop(key, stopDeadlineMs);
  }

  #start(key: string, wanted: Wanted): Promise<void> {
    const abort = new AbortController();
    const entry: { -readonly [K in keyof Active]: Active[K] } = {
      ...activeOf(wanted),
      abort,
      tried: Promise.resolve(),
      broker: undefined,
    };
    this.#active.set(key, entry);
    entry.tried = this.#subscribe(entry, wanted).then((ok) => {
      if (!ok) void this.#retry(entry, wanted);
    });
    return entry.tried;
  }

  async #subscribe(entry: Active, wanted: Wanted): Promise<boolean> {
    const { pubsubName: pubsub, topic } = wanted.subscription;
    try {
      const broker = await this.#options.subscribe(wanted);
      // Stopped while the broker was still answering: what came of it must not live on.
      if (entry.abort.signal.aborted) await broker.stop(0);
      else entry.broker = broker;
      return true;
    } catch (error) {
      this.#options.logger.error('cannot subscribe, trying again', { pubsub, topic, error: messageOf(error) });
      return false;
    }
  }

  async #retry(entry: Active, wanted: Wanted): Promise<void> {
    const wait = backoff({ initialMs: 500, maxMs: 10_000 });
    const { signal } = entry.abort;
    do await sleep(100 + wait.next(), signal);
    while (!signal.aborted && !(await this.#subscribe(entry, wanted)));
  }

  async #stop(key: string, deadlineMs: number): Promise<void> {
    const entry = this.#active.get(key);
    if (!entry) return;
    this.#active.delete(key);
    entry.abort.abort();
    await entry.tried;
    await entry.broker?.stop(deadlineMs).catch((error) => {
      this.#options.logger.error('subscription did not stop cleanly', { subscription: key, error: messageOf(error) });
    });
  }
}

function activeOf({ subscription, hosted }: Wanted): Pick<Active, 'content' | 'hosted' | 'abort'> {
  return { content: subscriptionContent(subscription), hosted, abort: new AbortController() };
}

function isCurrent(active: Active, wanted: Wanted | undefined): boolean {
  return wanted !== undefined && wanted.hosted === active.hosted && subscriptionContent(wanted.subscription) === active.content;
}
