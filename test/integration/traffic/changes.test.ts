import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { traffic } from '../../support/mesh.js';

/** Real Envoys under traffic: rules, resiliency and backends change, come and go, and no call notices. */

let rig: EnvoyRig;
let caller: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'web' });
  await rig.add({ appId: 'orders', instanceId: 'orders-1', labels: { version: 'v1' } });
  await rig.add({ appId: 'orders', instanceId: 'orders-2', labels: { version: 'v2' } });
  await rig.add({ appId: 'next' });
  await rig.update({});
});
afterAll(() => rig.close());

const route = (rules: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec: { parentRefs: [{ kind: Service, group: "", name: orders }], rules: ${rules} }
`;
const resiliency = (policies: string, names: string) => `
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec: { policies: ${policies}, targets: { apps: { orders: ${names} } } }
`;
const balancer = (type: string) => `
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: { name: orders }
spec: { targetRefs: [{ kind: Service, name: orders }], loadBalancer: { type: ${type} } }
`;
const STATES = [
  route('[{ backendRefs: [{ name: orders@v1, weight: 9 }, { name: next, weight: 1 }] }]'),
  route('[{ backendRefs: [{ name: orders@v2 }], retry: { attempts: 2, codes: [503] } }]'),
  resiliency('{ circuitBreakers: { c: { trip: consecutiveFailures > 3 } } }', '{ circuitBreaker: c }'),
  route('[{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: next } } }] }]') + balancer('LeastRequest'),
  `${route('[{ timeouts: { request: 10s } }]')}${resiliency('{ timeouts: { t: 5s }, retries: { r: { maxRetries: 1 } } }', '{ timeout: t, retry: r }')}`,
  balancer('Random'),
  '',
];

it('twenty changes of everything fail no call', async () => {
  const load = traffic(`${caller.api}/v1.0/invoke/orders/method/a`);
  for (let change = 0; change < 20; change += 1) await rig.update({ resources: STATES[change % STATES.length] ?? '' });
  const { good, bad } = await load.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(500);
});
