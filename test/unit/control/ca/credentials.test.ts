import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  joinTokenVerifier,
  renewalVerifier,
  serviceAccountVerifier,
  type TokenReview,
} from '../../../../src/control/ca/credentials.js';
import { createJoinToken, newTokenKey } from '../../../../src/control/ca/join-token.js';

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
  const good: TokenReview = {
    authenticated: true,
    audiences: ['weft'],
    user: {
      username: 'system:serviceaccount:shop:default',
      extra: { 'authentication.kubernetes.io/pod-name': ['orders-7d4b9'] },
    },
  };
  const verify = (review: TokenReview, appId: string | undefined = 'orders') =>
    serviceAccountVerifier({
      reviewToken: async (token, audience) => (token === 'sa' && audience === 'weft' ? review : { authenticated: false }),
      appIdOf: async (namespace, pod) => (namespace === 'shop' && pod === 'orders-7d4b9' ? appId : undefined),
    })(caller('sa'));

  it('proves the app of the pod that it is bound to', async () => {
    expect(await verify(good)).toEqual(orders);
  });

  it.each<[string, TokenReview]>([
    ['not valid: expired', { authenticated: false, error: 'expired' }],
    ['not for audience', { ...good, audiences: ['https://kubernetes.default.svc'] }],
    ['not for audience', { ...good, audiences: undefined }],
    ['not of a service account', { ...good, user: { ...good.user, username: 'admin' } }],
    ['not of a service account', { ...good, user: { ...good.user, username: 'system:serviceaccount:shop:a:b' } }],
    ['not bound to a pod', { ...good, user: { username: 'system:serviceaccount:shop:default' } }],
    ['has no app id', { ...good, user: { ...good.user, username: 'system:serviceaccount:other:default' } }],
  ])('proves nothing when it is %s', async (why, review) => {
    expect(await verify(review)).toContain(why);
  });
});
