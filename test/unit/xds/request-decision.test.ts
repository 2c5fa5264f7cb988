import { describe, expect, it } from 'vitest';
import { type DeltaRequest, decideRequest, type RequestContext } from '../../../src/xds/request-decision.js';
import { createSubscription } from '../../../src/xds/subscription.js';

const request = (parts: Partial<DeltaRequest> = {}): DeltaRequest => ({
  nonce: '',
  error: undefined,
  subscribe: [],
  unsubscribe: [],
  initialVersions: new Map(),
  ...parts,
});

const first: RequestContext = { subscription: undefined, outstandingNonce: undefined, legacyWildcard: true };

function later({ names = [] as string[], wildcard = false, outstandingNonce = '7' } = {}): RequestContext {
  const subscription = createSubscription();
  subscription.subscribe(names);
  subscription.setWildcard(wildcard);
  return { subscription, outstandingNonce, legacyWildcard: true };
}

describe('the decision table of a delta request', () => {
  describe('first', () => {
    it('takes a request that names nothing for a wildcard, and answers everything', () => {
      expect(decideRequest(request(), first)).toMatchObject({ row: 'first', wildcard: true, owed: 'all' });
    });

    it('takes a request that names nothing for nothing where the type knows no legacy wildcard', () => {
      expect(decideRequest(request(), { ...first, legacyWildcard: false })).toMatchObject({ row: 'first', wildcard: false });
    });

    it('takes * for a wildcard, beside names', () => {
      const decision = decideRequest(request({ subscribe: ['*', 'a'] }), { ...first, legacyWildcard: false });
      expect(decision).toMatchObject({ row: 'first', wildcard: true, subscribe: ['a'], owed: 'all' });
    });

    it('answers every name, of resources that do not exist too', () => {
      expect(decideRequest(request({ subscribe: ['a', 'b'] }), first)).toMatchObject({
        row: 'first',
        wildcard: false,
        subscribe: ['a', 'b'],
        owed: 'all',
      });
    });

    it('ignores a nonce that comes from a dead stream (envoy#15767)', () => {
      expect(decideRequest(request({ nonce: '3', error: 'old' }), first)).toMatchObject({ row: 'first', owed: 'all' });
    });
  });

  describe('reconnect', () => {
    it('adopts what the client has and owes it nothing but differences', () => {
      const initialVersions = new Map([['a', 'v1']]);
      const decision = decideRequest(request({ initialVersions }), first);
      expect(decision).toMatchObject({ row: 'reconnect', wildcard: true, owed: [] });
      expect(decision.inherit).toBe(initialVersions);
    });

    it('owes an answer for names that the client asks for and does not have', () => {
      const decision = decideRequest(request({ subscribe: ['a', 'b'], initialVersions: new Map([['a', 'v1']]) }), first);
      expect(decision).toMatchObject({ row: 'reconnect', wildcard: false, subscribe: ['a', 'b'], owed: ['b'] });
    });
  });

  it('stale nonce: is neither ACK nor NACK, but its change of the subscription counts', () => {
    const decision = decideRequest(request({ nonce: '6', error: 'late', subscribe: ['b'] }), later({ names: ['a'] }));
    expect(decision).toMatchObject({ row: 'stale-nonce', subscribe: ['b'], owed: ['b'] });
  });

  it('stale nonce: an ACK when nothing is outstanding', () => {
    const context = { ...later(), outstandingNonce: undefined };
    expect(decideRequest(request({ nonce: '7' }), context)).toMatchObject({ row: 'stale-nonce', owed: [] });
  });

  it('ACK: accepts and owes nothing', () => {
    expect(decideRequest(request({ nonce: '7' }), later({ names: ['a'] }))).toEqual({
      row: 'ack',
      wildcard: undefined,
      subscribe: [],
      unsubscribe: [],
      inherit: undefined,
      owed: [],
    });
  });

  it('ACK: may subscribe at the same time', () => {
    const decision = decideRequest(request({ nonce: '7', subscribe: ['b'] }), later({ names: ['a'] }));
    expect(decision).toMatchObject({ row: 'ack', subscribe: ['b'], owed: ['b'] });
  });

  it('NACK: refuses', () => {
    expect(decideRequest(request({ nonce: '7', error: 'bad' }), later())).toMatchObject({ row: 'nack', owed: [] });
  });

  it('NACK: an error without a text is a NACK too', () => {
    expect(decideRequest(request({ nonce: '7', error: '' }), later()).row).toBe('nack');
  });

  describe('change', () => {
    it('answers a name that is subscribed again, since the client may have dropped the resource', () => {
      const decision = decideRequest(request({ subscribe: ['a'] }), later({ names: ['a'] }));
      expect(decision).toMatchObject({ row: 'change', subscribe: ['a'], owed: ['a'] });
    });

    it('does not answer an unsubscription', () => {
      const decision = decideRequest(request({ unsubscribe: ['a'] }), later({ names: ['a'] }));
      expect(decision).toMatchObject({ row: 'change', unsubscribe: ['a'], owed: [] });
    });

    it('answers an unsubscription under a wildcard, which may still cover the name', () => {
      const decision = decideRequest(request({ unsubscribe: ['a'] }), later({ names: ['a'], wildcard: true }));
      expect(decision).toMatchObject({ row: 'change', unsubscribe: ['a'], owed: ['a'] });
    });

    it('answers everything when a wildcard is added to names', () => {
      const decision = decideRequest(request({ subscribe: ['*'] }), later({ names: ['a'] }));
      expect(decision).toMatchObject({ row: 'change', wildcard: true, owed: 'all' });
    });

    it('keeps names and answers nothing when the wildcard is dropped', () => {
      const decision = decideRequest(request({ unsubscribe: ['*'] }), later({ names: ['a'], wildcard: true }));
      expect(decision).toMatchObject({ row: 'change', wildcard: false, unsubscribe: [], owed: [] });
    });

    it('does not answer a name that is dropped together with the wildcard', () => {
      const decision = decideRequest(request({ unsubscribe: ['*', 'a'] }), later({ names: ['a'], wildcard: true }));
      expect(decision).toMatchObject({ wildcard: false, unsubscribe: ['a'], owed: [] });
    });

    it('keeps a wildcard when more names are subscribed', () => {
      const decision = decideRequest(request({ subscribe: ['a'] }), later({ wildcard: true }));
      expect(decision).toMatchObject({ wildcard: undefined, subscribe: ['a'], owed: ['a'] });
    });

    it('lets a name in both lists stay', () => {
      const decision = decideRequest(request({ subscribe: ['a'], unsubscribe: ['a'] }), later({ names: ['a'] }));
      expect(decision).toMatchObject({ subscribe: ['a'], unsubscribe: [], owed: ['a'] });
    });
  });

  it('empty: does nothing', () => {
    expect(decideRequest(request(), later({ names: ['a'] }))).toMatchObject({ row: 'empty', wildcard: undefined, owed: [] });
  });
});
