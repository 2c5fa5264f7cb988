import { describe, expect, it } from 'vitest';
import { componentResiliency } from '../../../../src/model/traffic/component-resiliency.js';
import { component } from '../../../support/config-source.js';
import { readResources, resourcesOf } from '../../../support/resources.js';

const doc = (policies: string, targets = '{}', name = 'r') => `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: ${name} }
spec: { policies: ${policies}, targets: ${targets} }
`;
const store = component('store', 'state.sqlite');
const broker = component('broker', 'pubsub.sqlite');

async function inForce(...docs: string[]) {
  const { policies } = await resourcesOf(docs.join('---'));
  return Object.fromEntries(componentResiliency(policies, [store, broker]).map(([{ name }, value]) => [name, value]));
}

describe('which policy of a component is in force', () => {
  it('of a target that is named only what it names, in both directions', async () => {
    const policies = '{ timeouts: { t: 2s, DefaultTimeoutPolicy: 9s }, retries: { DefaultRetryPolicy: {} } }';
    const found = await inForce(doc(policies, '{ components: { broker: { outbound: { timeout: t } } } }'));
    expect(found.broker?.outbound).toMatchObject({ timeoutMs: 2000, retry: undefined, source: 'r' });
    expect(found.broker?.inbound).toBeUndefined();
    expect(found.store?.outbound).toMatchObject({ timeoutMs: 9000, retry: { name: 'DefaultRetryPolicy' } });
  });

  it('else the narrowest default: type and direction, direction, component, everything', async () => {
    const all = [
      'DefaultTimeoutPolicy: 1s',
      'DefaultComponentTimeoutPolicy: 2s',
      'DefaultComponentOutboundTimeoutPolicy: 3s',
      'DefaultStatestoreComponentOutboundTimeoutPolicy: 4s',
      'DefaultPubsubComponentInboundTimeoutPolicy: 5s',
      'DefaultAppTimeoutPolicy: 6s',
    ];
    const found = async (count: number) => {
      const { store, broker } = await inForce(doc(`{ timeouts: { ${all.slice(0, count).join(', ')} } }`));
      return [store?.outbound?.timeoutMs, broker?.outbound?.timeoutMs, broker?.inbound?.timeoutMs];
    };
    expect(await found(1)).toEqual([1000, 1000, 1000]);
    expect(await found(2)).toEqual([2000, 2000, 2000]);
    expect(await found(3)).toEqual([3000, 3000, 2000]);
    expect(await found(4)).toEqual([4000, 3000, 2000]);
    expect(await found(6)).toEqual([4000, 3000, 5000]);
  });

  it('none without one, and none for what brings the app nothing', async () => {
    expect(await inForce(doc('{ timeouts: { DefaultAppTimeoutPolicy: 1s } }'))).toEqual({});
    const found = await inForce(doc('{ timeouts: { DefaultComponentInboundTimeoutPolicy: 1s } }'));
    expect(Object.keys(found)).toEqual(['broker']);
  });

  it('stays the same whatever an unrelated document says', async () => {
    const mine = doc('{ timeouts: { t: 2s } }', '{ components: { store: { outbound: { timeout: t } } } }', 'mine');
    const other = doc('{ timeouts: { u: 2s } }', '{ apps: { orders: { timeout: u } } }', 'other');
    expect(await inForce(mine, other)).toEqual(await inForce(mine));
  });
});

describe('a policy', () => {
  const policy = async (policies: string, names: string) =>
    (await inForce(doc(policies, `{ components: { store: { outbound: ${names} } } }`))).store?.outbound;

  it('has Dapr’s defaults', async () => {
    expect(await policy('{ retries: { r: {} }, circuitBreakers: { c: {} } }', '{ retry: r, circuitBreaker: c }')).toEqual({
      timeoutMs: 0,
      retry: {
        name: 'r',
        exponential: false,
        intervalMs: 5000,
        maxIntervalMs: 0,
        maxRetries: -1,
        httpStatusCodes: [],
        grpcStatusCodes: [],
      },
      circuitBreaker: { name: 'c', maxRequests: 1, intervalMs: 0, timeoutMs: 60_000, trip: 'consecutiveFailures > 5' },
      source: 'r',
    });
  });

  it('reads exponential waits and code lists', async () => {
    const retries =
      '{ r: { policy: exponential, maxInterval: 15s, maxRetries: 3, matching: { httpStatusCodes: "500-599, 429" } } }';
    expect((await policy(`{ retries: ${retries} }`, '{ retry: r }'))?.retry).toMatchObject({
      exponential: true,
      intervalMs: 500,
      maxIntervalMs: 15_000,
      maxRetries: 3,
      httpStatusCodes: [
        { from: 429, to: 429 },
        { from: 500, to: 599 },
      ],
    });
  });

  it('may trip on any expression when no app has the breaker, and on none that is not CEL', async () => {
    const breaker = (trip: string) => `{ circuitBreakers: { c: { trip: "${trip}" } } }`;
    const targets = '{ components: { store: { outbound: { circuitBreaker: c } } } }';
    expect((await inForce(doc(breaker('totalFailures > 3 && requests < 100'), targets))).store?.outbound).toBeDefined();
    const { problems } = await readResources(doc(breaker('totalFailures >'), targets));
    expect(problems).toEqual([expect.stringContaining('spec.policies.circuitBreakers.c.trip: trip "totalFailures >"')]);
  });
});
