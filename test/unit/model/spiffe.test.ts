import { describe, expect, it } from 'vitest';
import { parseSpiffeId, spiffeId } from '../../../src/model/spiffe.js';

describe('SPIFFE ids', () => {
  it('round-trip', () => {
    const identity = { trustDomain: 'weft.test', namespace: 'shop', appId: 'orders' };
    expect(parseSpiffeId(spiffeId(identity))).toEqual(identity);
  });

  it.each([
    'https://weft.test/ns/shop/orders',
    'spiffe://weft.test/ns/shop',
    'spiffe://weft.test/ns/shop/orders/x',
    'spiffe://weft.test//ns/shop/orders',
    'spiffe://weft.test:80/ns/shop/orders',
    'spiffe://user@weft.test/ns/shop/orders',
    'spiffe://weft.test/ns/shop/orders?x=1',
    'spiffe://weft.test/ns/shop/orders#x',
    'spiffe://weft.test/ns/shop/%6frders',
    'spiffe://weft.test/ns/../orders',
    'spiffe://WEFT.test/ns/shop/orders',
    `spiffe://weft.test/ns/shop/${'a'.repeat(3000)}`,
  ])('refuses %s', (uri) => {
    expect(parseSpiffeId(uri)).toBeUndefined();
  });
});
