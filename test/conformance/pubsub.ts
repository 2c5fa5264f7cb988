import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message, MessageHandler, PublishRequest, PubSub, PubSubCapability } from '../../src/blocks/pubsub/contract.js';
import { eventually } from '../support/eventually.js';

export interface PubSubConformance {
  readonly name: string;
  /** Exactly what the broker declares. */
  readonly capabilities: readonly PubSubCapability[];
  /** @returns a fresh broker; `metadata` as in a component's YAML */
  open(metadata?: Record<string, string>): Promise<PubSub>;
}

/** A consumer that keeps what it got and answers as `answer` says. */
function collector(answer: (message: Message, signal: AbortSignal) => Promise<void> | void = () => {}) {
  const got: Message[] = [];
  const handler: MessageHandler = async (message, signal) => {
    got.push(message);
    await answer(message, signal);
  };
  return { got, handler, texts: () => got.map((message) => message.data.toString()) };
}

const request = (text: string, topic = 'orders', metadata: Record<string, string> = {}): PublishRequest => ({
  topic,
  data: Buffer.from(text),
  contentType: 'application/cloudevents+json',
  metadata,
});
const to = (consumerId: string, topic = 'orders') => ({ topic, consumerId, metadata: {} });
const QUICK = { redeliverInterval: '10ms', maxRedeliverInterval: '40ms' };
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));

/** What every broker does, and exactly what it declares besides. */
export function pubsubConformance({ name, open, capabilities }: PubSubConformance): void {
  describe(`${name} as a broker`, () => {
    let broker: PubSub;
    const opened: PubSub[] = [];
    const start = async (metadata?: Record<string, string>) => {
      broker = await open(metadata);
      opened.push(broker);
      return broker;
    };
    beforeEach(() => start(QUICK));
    afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

    it('declares what it is expected to', () => {
      expect(broker.capabilities).toEqual(capabilities);
      expect(broker.bulkPublish !== undefined).toBe(capabilities.includes('BULK_PUBLISH'));
    });

    it('delivers data, content type, topic and metadata as they were published', async () => {
      const { got, handler } = collector();
      await broker.subscribe(to('a'), handler);
      const data = Buffer.from([0, 255, 1, 0xc3, 0x28]);
      await broker.publish({ topic: 'orders', data, contentType: 'image/png', metadata: { partitionKey: 'é' } });
      await eventually(() => expect(got).toHaveLength(1));
      expect(got[0]).toMatchObject({ topic: 'orders', contentType: 'image/png', metadata: { partitionKey: 'é' }, attempt: 1 });
      expect(Buffer.compare(got[0]!.data, data)).toBe(0);
    });

    it('delivers an empty message', async () => {
      const { got, handler } = collector();
      await broker.subscribe(to('a'), handler);
      await broker.publish(request(''));
      await eventually(() => expect(got.map(({ data }) => data.length)).toEqual([0]));
    });

    it('starts messages in the order of publishing', async () => {
      const { texts, handler } = collector();
      await broker.subscribe(to('a'), handler);
      for (const text of numbers(300)) void broker.publish(request(text));
      await eventually(() => expect(texts()).toHaveLength(300));
      expect(texts()).toEqual(numbers(300));
    });

    it('gives every consumer group each message, and nobody the messages of other topics', async () => {
      const [a, b, other] = [collector(), collector(), collector()];
      await broker.subscribe(to('a'), a.handler);
      await broker.subscribe(to('b'), b.handler);
      await broker.subscribe(to('a', 'other'), other.handler);
      await broker.publish(request('1'));
      await broker.publish(request('2', 'other'));
      await eventually(() => expect([a.texts(), b.texts(), other.texts()]).toEqual([['1'], ['1'], ['2']]));
      await sleep(60);
      expect([a.texts(), b.texts(), other.texts()]).toEqual([['1'], ['1'], ['2']]);
    });

    it('shares a group’s messages among its consumers, each once', async () => {
      await start({ ...QUICK, maxInFlight: '2' });
      const consumers = [collector(() => sleep(2)), collector(() => sleep(2)), collector(() => sleep(2))];
      for (const consumer of consumers) await broker.subscribe(to('a'), consumer.handler);
      await Promise.all(numbers(60).map((text) => broker.publish(request(text))));
      const all = () => consumers.flatMap((consumer) => consumer.texts());
      await eventually(() => expect(all()).toHaveLength(60));
      await sleep(60);
      expect(all().sort()).toEqual(numbers(60).sort());
      for (const consumer of consumers) expect(consumer.got.length).toBeGreaterThan(5);
    });

    it('accepts a publish that nobody subscribes to', async () => {
      await expect(broker.publish(request('unheard', 'silence'))).resolves.toBeUndefined();
    });

    it('gives a new group what is published from then on', async () => {
      const { texts, handler } = collector();
      await broker.publish(request('before'));
      await broker.subscribe(to('a'), handler);
      await broker.publish(request('after'));
      await eventually(() => expect(texts()).toEqual(['after']));
    });

    it('keeps a group’s messages while its consumer is away', async () => {
      const first = await broker.subscribe(to('a'), async () => {});
      await first.stop(100);
      await broker.publish(request('meanwhile'));
      const { texts, handler } = collector();
      await broker.subscribe(to('a'), handler);
      await eventually(() => expect(texts()).toEqual(['meanwhile']));
    });

    it('delivers a failed message again and says which attempt it is', async () => {
      const { got, handler } = collector((message) => {
        if (message.attempt! < 3) throw new Error('not yet');
      });
      await broker.subscribe(to('a'), handler);
      await broker.publish(request('x'));
      await eventually(() => expect(got.map(({ attempt }) => attempt)).toEqual([1, 2, 3]));
      await sleep(100);
      expect(got).toHaveLength(3);
    });

    it('does not let a failing message hold up the others', async () => {
      const { texts, handler } = collector((message) => {
        if (message.data.toString() === 'bad') throw new Error('never');
      });
      await broker.subscribe(to('a'), handler);
      for (const text of ['bad', '1', '2']) await broker.publish(request(text));
      await eventually(() => expect(texts().filter((text) => text !== 'bad')).toEqual(['1', '2']));
    });

    it('runs at most maxInFlight handlers of a subscription at a time', async () => {
      await start({ ...QUICK, maxInFlight: '3' });
      let running = 0;
      let most = 0;
      const { got, handler } = collector(async () => {
        most = Math.max(most, ++running);
        await sleep(3);
        running--;
      });
      await broker.subscribe(to('a'), handler);
      await Promise.all(numbers(30).map((text) => broker.publish(request(text))));
      await eventually(() => expect(got).toHaveLength(30));
      expect(most).toBe(3);
    });

    it('refuses publishes beyond maxLength with the reason, and accepts again when there is room', async () => {
      await start({ ...QUICK, maxLength: '5', maxInFlight: '1' });
      let open!: () => void;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const { got, handler } = collector(() => gate);
      await broker.subscribe(to('a'), handler);
      for (const text of numbers(5)) await broker.publish(request(text));
      await expect(broker.publish(request('6th'))).rejects.toThrow(/maxLength/);
      open();
      await eventually(() => expect(got).toHaveLength(5));
      await eventually(() => broker.publish(request('again')));
      await eventually(() => expect(got.at(-1)?.data.toString()).toBe('again'));
    });

    it('waits for handlers under way when a subscription stops, and starts no more', async () => {
      await start({ ...QUICK, maxInFlight: '1' });
      let finished = 0;
      const { texts, handler } = collector(async () => {
        await sleep(60);
        finished++;
      });
      const subscription = await broker.subscribe(to('a'), handler);
      for (const text of ['1', '2']) await broker.publish(request(text));
      await eventually(() => expect(texts()).toEqual(['1']));
      await subscription.stop(2000);
      expect([finished, texts()]).toEqual([1, ['1']]);
      const next = collector();
      await broker.subscribe(to('a'), next.handler);
      await eventually(() => expect(next.texts()).toEqual(['2']));
    });

    it('gives back what is still under way at the deadline: aborted, not lost, the attempt not counted', async () => {
      let aborted = false;
      const { got, handler } = collector(
        (_, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(new Error('stopped'));
            });
          }),
      );
      const subscription = await broker.subscribe(to('a'), handler);
      await broker.publish(request('x'));
      await eventually(() => expect(got).toHaveLength(1));
      await subscription.stop(20);
      expect(aborted).toBe(true);
      const next = collector();
      await broker.subscribe(to('a'), next.handler);
      await eventually(() => expect(next.got.map(({ attempt }) => attempt)).toEqual([1]));
    });

    it('stops and closes more than once without harm', async () => {
      const subscription = await broker.subscribe(to('a'), async () => {});
      await subscription.stop(10);
      await subscription.stop(10);
      await broker.close();
      await broker.close();
    });

    if (capabilities.includes('BULK_PUBLISH')) {
      it('publishes in bulk and names what failed by its index', async () => {
        await start({ ...QUICK, maxLength: '3', maxInFlight: '1' });
        const { handler } = collector(() => new Promise(() => {}));
        await broker.subscribe(to('a'), handler);
        const failures = await broker.bulkPublish!(numbers(5).map((text) => request(text)));
        expect(failures.map(({ index }) => index)).toEqual([3, 4]);
        expect(failures[0]?.error).toMatch(/maxLength/);
      });
    }

    if (capabilities.includes('MESSAGE_TTL')) {
      it('drops a message whose time is over before it is delivered', async () => {
        const first = await broker.subscribe(to('a'), async () => {});
        await first.stop(10);
        await broker.publish(request('short', 'orders', { ttlInSeconds: '0.03' }));
        await broker.publish(request('long', 'orders', { ttlInSeconds: '60' }));
        await sleep(80);
        const { got, texts, handler } = collector();
        await broker.subscribe(to('a'), handler);
        await eventually(() => expect(texts()).toEqual(['long']));
        expect(got[0]?.metadata).toEqual({});
      });
    }
  });
}
