import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { joinTokenOr, joinTokenVerifier, renewalVerifier } from '../../../../src/control/ca/credentials.js';
import { createJoinToken, newTokenKey } from '../../../../src/control/ca/join-token.js';
import { type KubernetesPod, serviceAccountVerifier, type TokenReview } from '../../../../src/control/ca/service-account.js';

function caller(token?: string) {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return { metadata };
}

const orders = { namespace: 'shop', appId: 'orders' };

describe('a join token', () => {
  const key = newTokenKey();
  const verify = joinTokenVerifier(key, () => 1000);

  it('proves the app that it was made for, until it ends', async () => {
    expect(await verify(caller(createJoinToken(key, orders, 1001)))).toEqual(orders);
    expect(await verify(caller(createJoinToken(key, orders, 1000)))).toMatch(/expired/);
    expect(await verify(caller(createJoinToken(newTokenKey(), orders, 2000)))).toMatch(/not made by this control plane/);
    expect(await verify(caller())).toMatch(/no credential/);
  });

  it('is not needed by whoever has a living certificate', async () => {
    const certified = { trustDomain: 'weft.test', namespace: 'shop', appId: 'cart' };
    expect(await renewalVerifier(verify)({ ...caller(), certified })).toEqual({ namespace: 'shop', appId: 'cart' });
    expect(await renewalVerifier(verify)(caller())).toMatch(/no credential/);
  });
});

describe('a service-account token', () => {
  const TOKEN = 'aa.bb.cc';
  const user = {
    username: 'system:serviceaccount:shop:cart',
    extra: {
      'authentication.kubernetes.io/pod-name': ['orders-7d4b9'],
      'authentication.kubernetes.io/pod-uid': ['u1'],
    },
  };
  const good: TokenReview = { authenticated: true, audiences: ['weft'], user };
  const pod = (change: object = {}): KubernetesPod => ({
    metadata: { uid: 'u1', annotations: { 'dapr.io/app-id': 'orders' } },
    spec: { serviceAccountName: 'cart' },
    ...change,
  });
  const asked: string[] = [];
  const verify = (review: TokenReview, found: KubernetesPod | undefined = pod(), token = TOKEN) =>
    serviceAccountVerifier({
      reviewToken: async (given, audience) => {
        asked.push(given);
        return given === TOKEN && audience === 'weft' ? review : { authenticated: false };
      },
      podOf: async (namespace, name) => (namespace === 'shop' && name === 'orders-7d4b9' ? found : undefined),
    })(caller(token));

  it('proves the app of the pod that it is bound to', async () => {
    expect(await verify(good)).toEqual(orders);
  });

  it.each<[string, TokenReview]>([
    ['not valid: expired', { authenticated: false, error: 'expired' }],
    ['not for audience', { ...good, audiences: ['https://kubernetes.default.svc'] }],
    ['not for audience', { ...good, audiences: undefined }],
    ['not of a service account', { ...good, user: { ...user, username: 'admin' } }],
    ['not of a service account', { ...good, user: { ...user, username: 'system:serviceaccount:shop:a:b' } }],
    ['not bound to a pod', { ...good, user: { username: 'system:serviceaccount:shop:cart' } }],
    [
      'shop/orders-7d4b9 does not run as service account other',
      { ...good, user: { ...user, username: 'system:serviceaccount:shop:other' } },
    ],
    ['pod other/orders-7d4b9 does not exist', { ...good, user: { ...user, username: 'system:serviceaccount:other:cart' } }],
  ])('proves nothing when it is %s', async (why, review) => {
    expect(await verify(review)).toContain(why);
  });

  it.each<[string, KubernetesPod]>([
    ['has no app id: give it the annotation dapr.io/app-id', pod({ metadata: { uid: 'u1' } })],
    ['of an earlier pod', pod({ metadata: { uid: 'u2', annotations: { 'dapr.io/app-id': 'orders' } } })],
    ['does not run as service account cart', pod({ spec: {} })],
  ])('proves nothing when its pod %s', async (why, found) => {
    expect(await verify(good, found)).toContain(why);
  });

  it.each(['', 'a.b', 'a.b.c.d', 'a b.c.d', `${'a'.repeat(20_000)}.b.c`])(
    'is not asked about when it cannot be one: %.20s',
    async (token) => {
      asked.length = 0;
      expect(await verify(good, pod(), token)).toMatch(/no credential|no service-account token/);
      expect(asked).toEqual([]);
    },
  );

  it('is never taken for a join token, nor that for it', async () => {
    const key = newTokenKey();
    const both = joinTokenOr(
      joinTokenVerifier(key, () => 0),
      async () => 'asked the other',
    );
    expect(await both(caller(createJoinToken(key, orders, 1)))).toEqual(orders);
    expect(await both(caller('weft1.x.y'))).toMatch(/not made by this control plane/);
    expect(await both(caller(TOKEN))).toBe('asked the other');
    expect(await both(caller())).toBe('asked the other');
  });
});
