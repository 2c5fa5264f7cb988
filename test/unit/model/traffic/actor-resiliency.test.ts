import { expect, it } from 'vitest';
import { BreakerScope } from '../../../../src/gen/weft/config/v1/config.js';
import { actorResiliency } from '../../../../src/model/traffic/actor-resiliency.js';
import { resourcesOf } from '../../../support/resources.js';

const inForce = async (policies: string, targets = '{}') => {
  const text = `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: shop }
spec: { policies: ${policies}, targets: ${targets} }
`;
  return actorResiliency((await resourcesOf(text)).policies, 'Cart');
};

it('is the breaker and the time of a turn; the retry is the caller’s', async () => {
  const policies =
    '{ timeouts: { t: 2s }, retries: { r: {} }, circuitBreakers: { c: { trip: totalFailures > 3, interval: 8s } } }';
  const names = 'timeout: t, retry: r, circuitBreaker: c, circuitBreakerScope: both, circuitBreakerCacheSize: 12';
  expect(await inForce(policies, `{ actors: { Cart: { ${names} } } }`)).toEqual({
    timeoutMs: 2000,
    circuitBreaker: { name: 'c', maxRequests: 1, intervalMs: 8000, timeoutMs: 60_000, trip: 'totalFailures > 3' },
    breakerScope: BreakerScope.BREAKER_SCOPE_BOTH,
    breakerCacheSize: 12,
    source: 'shop',
  });
  expect(await inForce(policies, '{ actors: { Cart: { retry: r } } }')).toBeUndefined();
  expect(await inForce(policies, '{ actors: { Other: { timeout: t } } }')).toBeUndefined();
});

it('takes the defaults for a type that no target names, a breaker for the whole type', async () => {
  const policies = `{ timeouts: { DefaultTimeoutPolicy: 9s, DefaultActorTimeoutPolicy: 1s, DefaultAppTimeoutPolicy: 2s },
    circuitBreakers: { DefaultActorCircuitBreakerPolicy: {} } }`;
  expect(await inForce(policies)).toMatchObject({
    timeoutMs: 1000,
    circuitBreaker: { name: 'DefaultActorCircuitBreakerPolicy' },
    breakerScope: BreakerScope.BREAKER_SCOPE_TYPE,
    breakerCacheSize: 5000,
  });
  expect(await inForce(policies, '{ actors: { Cart: {} } }')).toBeUndefined();
});
