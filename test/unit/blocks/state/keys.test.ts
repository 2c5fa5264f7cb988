import { describe, expect, it } from 'vitest';
import { checkKey, keyPrefix } from '../../../../src/blocks/state/keys.js';
import { componentSpec } from '../../../support/component-deps.js';

const prefix = (value?: string, namespace?: string) =>
  keyPrefix(componentSpec('state.in-memory', value === undefined ? {} : { keyPrefix: value }), { appId: 'orders', namespace });

describe('the key prefix', () => {
  it.each([
    [undefined, undefined, 'orders||'],
    ['appid', undefined, 'orders||'],
    ['AppID', undefined, 'orders||'],
    ['name', undefined, 'store||'],
    ['NAMESPACE', 'shop', 'shop.orders||'],
    ['namespace', undefined, 'orders||'],
    ['none', undefined, ''],
    ['Shared', undefined, 'shared||'],
  ])('%s in namespace %s is %j', (value, namespace, expected) => {
    expect(prefix(value, namespace)).toBe(expected);
  });

  it('may not hold the separator', () => {
    expect(() => prefix('a||b')).toThrow("can't contain '||'");
  });
});

describe('a key', () => {
  it.each(['a||b', '||', '', 'a\uD800', '\uDC00', 'x\uFFFD'])('%j is refused', (key) => {
    expect(() => checkKey(key, 'store')).toThrow(expect.objectContaining({ row: expect.objectContaining({ http: 400 }) }));
  });

  it.each(['a|b', 'a b/ü', '😀', '.'])('%j is fine', (key) => {
    expect(() => checkKey(key, 'store')).not.toThrow();
  });
});
