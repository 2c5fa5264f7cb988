import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { call } from '../../support/http-call.js';

/** Real Envoys: how a backend policy chooses among the instances of an app. */

const zone = (name: string) => ({ 'topology.kubernetes.io/zone': name });
let rig: EnvoyRig;
let caller: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'web', labels: zone('west') });
  for (const [instanceId, where] of [
    ['east-1', 'east'],
    ['east-2', 'east'],
    ['west-1', 'west'],
  ] as const)
    await rig.add({ appId: 'orders', instanceId, labels: zone(where) });
});
afterAll(() => rig.close());

const balance = (loadBalancer: string) =>
  rig.update({
    resources: `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: { name: orders }
spec: { targetRefs: [{ kind: Service, name: orders }], loadBalancer: ${loadBalancer} }
`,
  });
const answering = async (path: string, headers: Record<string, string> = {}, times = 12): Promise<string[]> => {
  const from = new Set<string>();
  for (let i = 0; i < times; i += 1) {
    const { body } = await call(`${caller.api}/v1.0/invoke/orders/method${path}`, { headers });
    from.add((JSON.parse(body) as Seen).from);
  }
  return [...from].sort();
};

it('by header: one value always reaches one instance, many values reach all', async () => {
  await balance('{ type: ConsistentHash, consistentHash: { type: Header, header: { name: X-User } } }');
  const found = new Set<string>();
  for (let user = 0; user < 30; user += 1) {
    const [only, ...others] = await answering('/a', { 'x-user': `user-${user}` }, 3);
    expect(others).toEqual([]);
    found.add(only ?? '');
  }
  expect([...found].sort()).toEqual(['east-1', 'east-2', 'west-1']);
});

it('by query, and by a cookie that Envoy makes', async () => {
  await balance('{ type: ConsistentHash, consistentHash: { type: QueryParams, queryParams: [{ name: cart }] } }');
  for (const cart of ['1', '2', '3']) expect(await answering(`/a?cart=${cart}`, {}, 5)).toHaveLength(1);
  await balance('{ type: ConsistentHash, consistentHash: { type: Cookie, cookie: { name: seat, ttl: 1h } } }');
  const { headers, body } = await call(`${caller.api}/v1.0/invoke/orders/method/a`);
  const cookie = String(headers['set-cookie']).split(';')[0] ?? '';
  expect(await answering('/a', { cookie }, 6)).toEqual([(JSON.parse(body) as Seen).from]);
});

it('spreads over all by every other type', async () => {
  for (const type of ['RoundRobin', 'LeastRequest', 'Random']) {
    await balance(`{ type: ${type} }`);
    expect([type, await answering('/a', {}, 40)]).toEqual([type, ['east-1', 'east-2', 'west-1']]);
  }
});

it('prefers the caller’s zone, and leaves it when nobody there is ready', async () => {
  await balance('{ type: RoundRobin, zoneAware: { preferLocal: {} } }');
  expect(await answering('/a')).toEqual(['west-1']);
  await rig.update({ instances: (all) => all.map((it) => (it.instanceId === 'west-1' ? { ...it, appReady: false } : it)) });
  expect(await answering('/a')).toEqual(['east-1', 'east-2']);
});
