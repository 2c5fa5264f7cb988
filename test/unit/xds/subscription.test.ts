import { describe, expect, it } from 'vitest';
import { createSubscription } from '../../../src/xds/subscription.js';
import { resourceOf } from '../../support/xds-fixtures.js';

describe('a subscription', () => {
  it('wants what it names, and everything with a wildcard', () => {
    const subscription = createSubscription();
    subscription.subscribe(['a']);
    expect([subscription.wants('a'), subscription.wants('b')]).toEqual([true, false]);
    subscription.setWildcard(true);
    expect(subscription.wants('b')).toBe(true);
  });

  it('forgets what it unsubscribes from', () => {
    const subscription = createSubscription();
    subscription.subscribe(['a']);
    subscription.sent([resourceOf('a', '1')], []);
    subscription.unsubscribe(['a']);
    expect(subscription.held.size).toBe(0);
  });

  it('keeps what a wildcard still covers', () => {
    const subscription = createSubscription();
    subscription.setWildcard(true);
    subscription.subscribe(['a']);
    subscription.sent([resourceOf('a', '1')], []);
    subscription.unsubscribe(['a']);
    expect(subscription.held.has('a')).toBe(true);
  });

  it('keeps only what it names when the wildcard goes', () => {
    const subscription = createSubscription();
    subscription.setWildcard(true);
    subscription.subscribe(['a']);
    subscription.sent([resourceOf('a', '1'), resourceOf('b', '1')], []);
    subscription.setWildcard(false);
    expect([...subscription.held.keys()]).toEqual(['a']);
  });

  it('tells apart what was inherited from what was sent', () => {
    const subscription = createSubscription();
    subscription.subscribe(['a', 'b']);
    subscription.inherit(new Map(Object.entries({ a: '1', b: '1', unasked: '1' })));
    subscription.sent([resourceOf('a', '2')], []);
    expect([...subscription.inherited]).toEqual(['b']);
    subscription.settle();
    expect(subscription.inherited.size).toBe(0);
    expect(subscription.held.get('b')?.version).toBe('1');
  });
});
