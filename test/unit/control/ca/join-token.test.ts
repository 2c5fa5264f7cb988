import { describe, expect, it } from 'vitest';
import { covers, createJoinToken, newTokenKey, verifyJoinToken } from '../../../../src/control/ca/join-token.js';

const claim = { namespace: 'default', appId: 'orders' };

describe('join tokens', () => {
  it('prove their claim until they expire', () => {
    const key = newTokenKey();
    const token = createJoinToken(key, claim, 1000);
    expect(verifyJoinToken(key, token, 999)).toEqual(claim);
    expect(verifyJoinToken(key, token, 1000)).toMatch(/expired/);
  });

  it('prove nothing when altered, foreign or malformed', () => {
    const key = newTokenKey();
    const token = createJoinToken(key, claim, 1000);
    const [version, , mac] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ ns: 'default', app: 'payments', exp: 1000 })).toString('base64url');
    expect(verifyJoinToken(key, `${version}.${forged}.${mac}`, 1)).toMatch(/not made by/);
    expect(verifyJoinToken(newTokenKey(), token, 1)).toMatch(/not made by/);
    for (const bad of ['', 'weft1', 'weft1..', `${token}.x`, 'x'.repeat(9999)])
      expect(verifyJoinToken(key, bad, 1)).toEqual(expect.any(String));
  });

  it('cover only what they name', () => {
    expect(covers(claim, claim)).toBe(true);
    expect(covers(claim, { namespace: 'default', appId: 'payments' })).toBe(false);
    expect(covers({ namespace: '*', appId: '*' }, claim)).toBe(true);
    expect(covers({ namespace: 'default', appId: '*' }, { namespace: 'other', appId: 'orders' })).toBe(false);
  });
});
