import { setMaxListeners } from 'node:events';
import type { BrokerSubscription, Message, MessageHandler, PublishRequest } from '../../blocks/pubsub/contract.js';
import { withDeadline } from '../../lib/async.js';
import { Fifo } from './fifo.js';
import { redeliveryDelay } from './options.js';

export interface GroupOptions {
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxInFlight: number;
  /** Milliseconds. */
  readonly redeliverInterval: number;
  readonly maxRedeliverInterval: number;
}

interface Item {
  readonly request: PublishRequest;
  attempt: number;
}

interface Consumer {
  readonly handler: MessageHandler;
  readonly stopping: AbortController;
  readonly underWay: Map<Item, Promise<void>>;
  open: boolean;
}

/** One topic's messages for one consumer group: started in the order they came, by whichever consumer has room. */
export class MemoryGroup {
  readonly #options: GroupOptions;
  readonly #waiting = new Fifo<Item>();
  readonly #consumers: Consumer[] = [];
  readonly #delayed = new Map<Item, NodeJS.Timeout>();
  #next = 0;
  #size = 0;
  #bytes = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /** @returns the option whose bound one more message would break; undefined when there is room. One message alone always has room. */
  limitFor(request: PublishRequest): 'maxLength' | 'maxBytes' | undefined {
    if (this.#size >= this.#options.maxLength) return 'maxLength';
    return this.#size > 0 && this.#bytes + request.data.length > this.#options.maxBytes ? 'maxBytes' : undefined;
  }

  get length(): number {
    return this.#size;
  }

  push(request: PublishRequest): void {
    this.#size++;
    this.#bytes += request.data.length;
    this.#waiting.push({ request, attempt: 0 });
    // Not from within publish: the publisher's answer goes out first, and a burst starts as one.
    if (this.#waiting.length === 1) queueMicrotask(() => this.#pump());
  }

  join(handler: MessageHandler): BrokerSubscription {
    const stopping = new AbortController();
    // One listener a message under way is what it is for, not a leak.
    setMaxListeners(0, stopping.signal);
    const consumer: Consumer = { handler, stopping, underWay: new Map(), open: true };
    this.#consumers.push(consumer);
    this.#pump();
    return { stop: (deadlineMs) => this.#leave(consumer, deadlineMs) };
  }

  close(): void {
    for (const timer of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    for (const consumer of this.#consumers.splice(0)) {
      consumer.open = false;
      consumer.stopping.abort();
    }
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const consumer = this.#roomiest();
      if (!consumer) return;
      const item = this.#waiting.shift();
      if (item) this.#start(consumer, item);
    }
  }

  /** In turn, so that consumers share the work. */
  #roomiest(): Consumer | undefined {
    for (let i = 0; i < this.#consumers.length; i++) {
      const consumer = this.#consumers[(this.#next + i) % this.#consumers.length];
      if (consumer && consumer.underWay.size < this.#options.maxInFlight) {
        this.#next = (this.#next + i + 1) % this.#consumers.length;
        return consumer;
      }
    }
    return undefined;
  }

  #start(consumer: Consumer, item: Item): void {
    item.attempt++;
    const { topic, data, contentType, metadata } = item.request;
    const message: Message = { topic, data, contentType, metadata, attempt: item.attempt };
    const running = run(consumer, message).then((done) => {
      // Given back already: the consumer left before its handler came to an end.
      if (!consumer.underWay.delete(item)) return;
      if (done) this.#take(item);
      else this.#later(item);
      if (this.#waiting.length > 0) this.#pump();
    });
    consumer.underWay.set(item, running);
  }

  #take({ request }: Item): void {
    this.#size--;
    this.#bytes -= request.data.length;
  }

  #later(item: Item): void {
    const { redeliverInterval, maxRedeliverInterval } = this.#options;
    const wait = redeliveryDelay(item.attempt, redeliverInterval, maxRedeliverInterval);
    const timer = setTimeout(() => {
      this.#delayed.delete(item);
      this.#waiting.unshift(item);
      this.#pump();
    }, wait);
    timer.unref();
    this.#delayed.set(item, timer);
  }

  async #leave(consumer: Consumer, deadlineMs: number): Promise<void> {
    if (!consumer.open) return;
    consumer.open = false;
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1);
    await withDeadline(Promise.all(consumer.underWay.values()), deadlineMs, 'handlers under way').catch(() => {});
    const rest = [...consumer.underWay.keys()];
    consumer.underWay.clear();
    consumer.stopping.abort();
    // Back to where they came from, in their order; an interrupted attempt does not count.
    for (const item of rest.reverse()) {
      item.attempt--;
      this.#waiting.unshift(item);
    }
    this.#pump();
  }
}

async function run({ handler, stopping }: Consumer, message: Message): Promise<boolean> {
  try {
    await handler(message, stopping.signal);
    return true;
  } catch {
    return false;
  }
}
