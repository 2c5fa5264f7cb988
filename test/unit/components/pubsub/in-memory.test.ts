import { afterEach, expect, it } from 'vitest';
import type { PubSub } from '../../../../src/blocks/pubsub/contract.js';
import { createInMemoryPubSub } from '../../../../src/components/pubsub/in-memory.js';
import { componentDeps, componentSpec } from '../../../support/component-deps.js';
import { eventually } from '../../../support/eventually.js';

let broker: PubSub;
afterEach(() => broker.close());

it('holds no more bytes for a consumer than maxBytes, but any single message, and takes more when some are handled', async () => {
  broker = await createInMemoryPubSub(
    componentSpec('pubsub.in-memory', { maxBytes: '100', maxInFlight: '1' }),
    componentDeps('unused'),
  );
  const waiting: (() => void)[] = [];
  const handler = () => new Promise<void>((resolve) => waiting.push(resolve));
  await broker.subscribe({ topic: 't', consumerId: 'slow', metadata: {} }, handler);
  const publish = (bytes: number) =>
    broker.publish({ topic: 't', data: Buffer.alloc(bytes), contentType: 'text/plain', metadata: {} });

  await publish(500);
  await expect(publish(1)).rejects.toThrow(
    'consumer slow has 1 messages of topic t waiting, as many as maxBytes allows; raise it or consume faster',
  );
  await eventually(() => expect(waiting).toHaveLength(1));
  waiting.shift()?.();
  await eventually(() => publish(60));
  await publish(40);
  await expect(publish(1)).rejects.toThrow(/maxBytes/);
});
