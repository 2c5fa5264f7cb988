import { describe, expect, it } from 'vitest';
import { resiliencyRules } from '../../../../src/model/traffic/resiliency.js';
import { resiliencyNotes } from '../../../../src/model/traffic/resiliency-notes.js';
import { consecutiveFailuresOf, failureShareOf } from '../../../../src/model/traffic/trip.js';
import { resourcesOf } from '../../../support/resources.js';

const doc = (policies: string, targets = '{}', name = 'r') => `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: ${name} }
spec: { policies: ${policies}, targets: ${targets} }
`;
const rules = async (...docs: string[]) => resiliencyRules((await resourcesOf(docs.join('---'))).policies);
const orders = { namespace: 'default', appId: 'orders' };

describe('which policy is in force', () => {
  it('the target’s own, and of it only what it names', async () => {
    const policies = '{ timeouts: { t: 2s, DefaultTimeoutPolicy: 9s }, retries: { DefaultRetryPolicy: {} } }';
    expect((await rules(doc(policies, '{ apps: { orders: { timeout: t } } }'))).app(orders)).toEqual({ timeoutMs: 2000 });
  });
  it('else the narrower default, else the general one, else none', async () => {
    const policies = '{ timeouts: { DefaultTimeoutPolicy: 9s, DefaultAppTimeoutPolicy: 3s } }';
    const found = await rules(doc(policies));
    expect([found.app(orders)?.timeoutMs, found.actor('Cart')?.timeoutMs]).toEqual([3000, 9000]);
    const actors = await rules(doc('{ timeouts: { DefaultActorTimeoutPolicy: 1s } }'));
    expect([actors.app(orders), actors.actor('Cart')?.timeoutMs]).toEqual([undefined, 1000]);
  });
  it('an app of one namespace before the app of all', async () => {
    const targets = '{ apps: { orders: { timeout: a }, orders.prod: { timeout: b } } }';
    const found = await rules(doc('{ timeouts: { a: 1s, b: 2000 } }', targets));
    expect(found.app(orders)?.timeoutMs).toBe(1000);
    expect(found.app({ namespace: 'prod', appId: 'orders' })?.timeoutMs).toBe(2000);
  });
  it('policies and targets of all documents together, the later one of two', async () => {
    const one = doc('{ timeouts: { t: 1s } }', '{ apps: { orders: { timeout: t }, pay: { timeout: t } } }', 'one');
    const two = doc('{ timeouts: { u: 5s } }', '{ apps: { pay: { timeout: u } } }', 'two');
    const found = await rules(one, two);
    expect([found.app(orders)?.timeoutMs, found.app({ namespace: 'x', appId: 'pay' })?.timeoutMs]).toEqual([1000, 5000]);
  });
});

describe('a retry', () => {
  const retry = async (text: string) =>
    (await rules(doc(`{ retries: { r: ${text} } }`, '{ apps: { orders: { retry: r } } }'))).app(orders)?.retry;
  it('has Dapr’s defaults: constant, five seconds, without end, of every failure', async () => {
    expect(await retry('{}')).toEqual({
      retries: 0x7fff_ffff,
      statuses: [[400, 599]],
      grpcCodes: [[1, 16]],
      waitMs: 5000,
      maxWaitMs: 5000,
    });
  });
  it('grows from half a second when it is exponential', async () => {
    expect(await retry('{ policy: exponential, maxInterval: 15s, maxRetries: 3 }')).toMatchObject({
      retries: 3,
      waitMs: 500,
      maxWaitMs: 15_000,
    });
  });
  it('takes the codes that match', async () => {
    expect(await retry('{ matching: { httpStatusCodes: "500-599, 429", gRPCStatusCodes: "14" } }')).toMatchObject({
      statuses: [
        [429, 429],
        [500, 599],
      ],
      grpcCodes: [[14, 14]],
    });
  });
  it('is none with maxRetries 0', async () => {
    expect(await retry('{ maxRetries: 0 }')).toMatchObject({ retries: 0 });
  });
});

describe('a circuit breaker', () => {
  it.each([
    ['consecutiveFailures > 5', 6],
    [' consecutiveFailures>=3 ', 3],
    ['consecutiveFailures == 2', 2],
    ['consecutiveFailures >= 0', undefined],
    ['totalFailures > 5', undefined],
    ['consecutiveFailures > 5 || requests > 9', undefined],
  ])('that trips on %s opens after %s failures in a row', (trip, failures) => {
    expect(consecutiveFailuresOf(trip)).toBe(failures);
  });

  it('has Dapr’s defaults', async () => {
    const found = await rules(doc('{ circuitBreakers: { c: {} } }', '{ apps: { orders: { circuitBreaker: c } } }'));
    expect(found.app(orders)?.breaker).toEqual({ failures: 6, openMs: 60_000 });
  });

  it.each([
    ['totalFailures * 100 / requests >= 50', { percent: 50, calls: 1 }],
    ['(totalFailures*100)/requests > 50 && requests >= 20', { percent: 51, calls: 20 }],
    ['requests > 9 && double(totalFailures) / double(requests) >= 0.25', { percent: 25, calls: 10 }],
    ['totalFailures * 100 / requests > 100', undefined],
    ['totalFailures * 100 / requests >= 50 || requests > 9', undefined],
    ['totalFailures * 100 / requests >= 50 && consecutiveFailures > 1', undefined],
    ['requests > 9', undefined],
  ])('that trips on %s opens at the share %s', (trip, share) => {
    expect(failureShareOf(trip)).toEqual(share);
  });

  it('on a share of failures needs the interval that they are counted in', async () => {
    const breaker = (more: string) =>
      doc(
        `{ circuitBreakers: { c: { trip: "totalFailures * 100 / requests >= 40", timeout: 5s, ${more} } } }`,
        '{ apps: { orders: { circuitBreaker: c } } }',
      );
    expect((await rules(breaker('interval: 10s'))).app(orders)?.breaker).toEqual({
      share: { percent: 40, calls: 1, intervalMs: 10_000 },
      openMs: 5000,
    });
    expect((await rules(breaker(''))).app(orders)?.breaker).toBeUndefined();
  });

  it('that Envoy cannot follow leaves the rest of its document in force', async () => {
    const policies = '{ circuitBreakers: { c: { trip: totalFailures > 9 } }, timeouts: { t: 1s } }';
    const targets =
      '{ apps: { orders: { circuitBreaker: c, timeout: t } }, actors: { Cart: { circuitBreaker: c, circuitBreakerScope: id } } }';
    const found = await rules(doc(policies, targets));
    expect(found.app(orders)).toEqual({ timeoutMs: 1000 });
    expect(found.actor('Cart')).toEqual({ timeoutMs: 0 });
  });
});

it('takes bare numbers as milliseconds, quoted or not', async () => {
  const policies = `{ timeouts: { t: '1500' }, retries: { r: { duration: '20', maxRetries: 1 } } }`;
  const found = await rules(doc(policies, '{ apps: { orders: { timeout: t, retry: r } } }'));
  expect(found.app(orders)).toMatchObject({ timeoutMs: 1500, retry: { waitMs: 20 } });
});

describe('the notes on a Resiliency', () => {
  const notes = async (text: string) => (await resourcesOf(text)).policies.flatMap(resiliencyNotes);
  it('name what it does not define', async () => {
    const targets = '{ apps: { orders: { retry: nothing } }, actors: { Cart: { circuitBreaker: c, circuitBreakerScope: id } } }';
    expect(await notes(doc('{ circuitBreakers: { c: {} } }', targets))).toEqual([
      'targets.apps.orders.retry: nothing is not defined in this document',
    ]);
    expect(await notes(doc('{ timeouts: { t: 1s } }', '{ apps: { orders: { timeout: t } } }'))).toEqual([]);
  });

  it('name what Envoy has no counterpart for, and the same breaker is right for a component', async () => {
    const breakers = '{ circuitBreakers: { c: { maxRequests: 3, interval: 10s }, d: { maxRequests: 1, interval: 0s } } }';
    expect(await notes(doc(breakers, '{ apps: { orders: { circuitBreaker: c }, pay: { circuitBreaker: d } } }'))).toEqual([
      'targets.apps.orders.circuitBreaker: c has no half-open state, so maxRequests means nothing: after the timeout all calls go through',
      'targets.apps.orders.circuitBreaker: c counts failures in a row until a call succeeds, so interval means nothing',
    ]);
    expect(await notes(doc(breakers, '{ components: { store: { outbound: { circuitBreaker: c } } } }'))).toEqual([]);
    expect(await notes(doc(breakers, '{ components: { store: { outbound: { retry: none } } } }'))).toEqual([
      'targets.components.store.outbound.retry: none is not defined in this document',
    ]);
  });

  it('name a breaker that is not in force between apps, also one by default', async () => {
    const breakers = `{ circuitBreakers: {
      c: { trip: totalFailures > 9 },
      d: { trip: totalFailures * 100 / requests > 50 },
      DefaultCircuitBreakerPolicy: { trip: requests > 9 } } }`;
    expect(await notes(doc(breakers, '{ apps: { orders: { circuitBreaker: c }, pay: { circuitBreaker: d } } }'))).toEqual([
      expect.stringMatching(/^targets.apps.orders.circuitBreaker: c is not in force: Envoy trips on consecutiveFailures/),
      expect.stringMatching(/^targets.apps.pay.circuitBreaker: d is not in force: a share of failures needs an interval/),
      expect.stringMatching(/^policies.circuitBreakers.DefaultCircuitBreakerPolicy: between apps it is not in force/),
    ]);
  });
});

describe('built-in retries', () => {
  const builtIn = async (name: string, policy: string) => {
    const { policies } = await resourcesOf(doc(`{ retries: { ${name}: ${policy} } }`));
    return { ...resiliencyRules(policies).builtIn, notes: policies.flatMap(resiliencyNotes) };
  };
  const SERVICE = 'DaprBuiltInServiceRetries';

  it.each([
    [SERVICE, '{ maxRetries: 7, duration: 200ms }', { service: { retries: 7, waitMs: 200, maxWaitMs: 200 }, notes: [] }],
    [SERVICE, '{ duration: 2s }', { service: { retries: 3, waitMs: 2000, maxWaitMs: 2000 }, notes: [] }],
    [
      'DaprBuiltInActorRetries',
      '{ policy: exponential, maxInterval: 9s, maxRetries: 4 }',
      { actor: { retries: 4, waitMs: 500, maxWaitMs: 9000 }, notes: [] },
    ],
  ])('%s %s', async (name, policy, expected) => expect(await builtIn(name, policy)).toEqual(expected));

  it.each([
    [SERVICE, '{ maxRetries: 0 }', 'makes 3 retries, the least there can be'],
    [SERVICE, '{ maxRetries: -1 }', 'makes 3 retries, the least there can be'],
    [SERVICE, '{ maxRetries: 3, matching: { httpStatusCodes: "503" } }', 'matching means nothing'],
    ['DaprBuiltInActorNotFoundRetries', '{ maxRetries: 9 }', 'cannot be overridden, as in Dapr'],
    ['DaprBuiltInActorReminderRetries', '{ maxRetries: 9 }', 'has no effect'],
    ['DaprBuiltInInitializationRetries', '{ maxRetries: 9 }', 'has no effect'],
    ['DaprBuiltInServiceRetry', '{ maxRetries: 9 }', 'is none of the built-in retries'],
  ])('%s %s: %s', async (name, policy, why) => {
    const { service, notes } = await builtIn(name, policy);
    expect(service?.retries ?? 3).toBe(3);
    expect(notes).toEqual([expect.stringContaining(`policies.retries.${name}: ${why}`)]);
  });

  it('of an actor type go with what else is said about it', async () => {
    const { policies } = await resourcesOf(
      doc(
        '{ timeouts: { t: 1s }, retries: { DaprBuiltInActorRetries: { maxRetries: 9, duration: 1s } } }',
        '{ actors: { Cart: { timeout: t } } }',
      ),
    );
    const notSent = { retries: 9, waitMs: 1000, maxWaitMs: 1000 };
    const { actor, app } = resiliencyRules(policies);
    expect([actor('Cart'), actor('Other')]).toEqual([
      { timeoutMs: 1000, notSent },
      { timeoutMs: 0, notSent },
    ]);
    expect(app(orders)).toBeUndefined();
  });
});
