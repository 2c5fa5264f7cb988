import { describe, expect, it } from 'vitest';
import { ActiveSubscriptions, type Wanted } from '../../../../src/blocks/pubsub/active-subscriptions.js';
import type { HostedPubSub } from '../../../../src/blocks/pubsub/publisher.js';
import { fromResource, subscriptionKey } from '../../../../src/blocks/pubsub/subscription.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { eventually } from '../../../support/eventually.js';
import { subscription } from '../../../support/pubsub-fixture.js';

const FIRST = { name: 'first' } as HostedPubSub;
const SECOND = { name: 'second' } as HostedPubSub;
const wanted = (...items: readonly [topic: string, path: string, hosted?: HostedPubSub][]) =>
  new Map<string, Wanted>(
    items.map(([topic, defaultPath, hosted = FIRST]) => {
      const made = fromResource(subscription({ topic, defaultPath, metadata: { b: '1', a: '2' } }));
      return [subscriptionKey(made), { subscription: made, hosted }];
    }),
  );

/** A broker that writes down who subscribed and stopped; the first `failures` attempts fail. */
function rig(failures = 0) {
  const events: string[] = [];
  let left = failures;
  const active = new ActiveSubscriptions({
    logger: silentLogger,
    subscribe: async ({ subscription: { topic, rules }, hosted }) => {
      const name = `${topic}${rules[0]?.path}@${hosted.name}`;
      if (left-- > 0) throw new Error('the broker is away');
      events.push(`+${name}`);
      return { stop: async () => void events.push(`-${name}`) };
    },
  });
  return { events, active };
}

describe('subscriptions in force', () => {
  it('are started once, and left alone while nothing about them changes', async () => {
    const { events, active } = rig();
    await active.reconcile(wanted(['a', '/1'], ['b', '/1']), 0);
    await active.reconcile(wanted(['b', '/1'], ['a', '/1']), 0);
    expect(events).toEqual(['+a/1@first', '+b/1@first']);
  });
  it('are replaced one by one by content', async () => {
    const { events, active } = rig();
    await active.reconcile(wanted(['a', '/1'], ['b', '/1']), 0);
    events.length = 0;
    await active.reconcile(wanted(['a', '/2'], ['b', '/1']), 0);
    expect(events).toEqual(['-a/1@first', '+a/2@first']);
  });
  it('move when their component is another object', async () => {
    const { events, active } = rig();
    await active.reconcile(wanted(['a', '/1']), 0);
    await active.reconcile(wanted(['a', '/1', SECOND]), 0);
    expect(events).toEqual(['+a/1@first', '-a/1@first', '+a/1@second']);
  });
  it('are stopped when they are wanted no more', async () => {
    const { events, active } = rig();
    await active.reconcile(wanted(['a', '/1']), 0);
    await active.reconcile(new Map(), 0);
    expect(events).toEqual(['+a/1@first', '-a/1@first']);
  });
  it('are tried again until the broker takes them', async () => {
    const { events, active } = rig(2);
    await active.reconcile(wanted(['a', '/1']), 0);
    expect(events).toEqual([]);
    await eventually(() => expect(events).toEqual(['+a/1@first']));
  });
  it('are not tried again once they are wanted no more', async () => {
    const { events, active } = rig(1);
    await active.reconcile(wanted(['a', '/1']), 0);
    await active.reconcile(new Map(), 0);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(events).toEqual([]);
  });
});
