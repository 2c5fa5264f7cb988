import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppStatus, ProxyConfig, ProxyStatus } from '../../../src/control/status.js';
import { UsageError } from '../../../src/errors.js';
import { AttachPeer, startTestControlPlane, type TestControlPlane } from '../../support/control-plane-fixture.js';
import { DeltaClient } from '../../support/delta-client.js';
import { attachedInstance } from '../../support/instances.js';

let controlPlane: TestControlPlane;
let directory: string;
const peers: AttachPeer[] = [];
const clients: DeltaClient[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weft-cp-test-'));
  controlPlane = await startTestControlPlane();
});
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.break();
  for (const client of clients.splice(0)) client.close();
  await controlPlane.close();
  rmSync(directory, { recursive: true, force: true });
});

const sockets = {
  serviceHttp: '/run/a',
  serviceGrpc: '/run/b',
  loopback: '/run/c',
  self: '/run/d',
  door: '/run/e',
  extProc: '/run/f',
  traced: '/run/g',
  tracedInbound: '/run/h',
};
const peer = () => {
  const made = new AttachPeer(controlPlane.grpcAddress);
  peers.push(made);
  return made;
};
const proxy = (nodeId: string) => {
  const made = new DeltaClient(controlPlane.grpcAddress, nodeId);
  clients.push(made);
  return made;
};
async function attached(change: Parameters<typeof attachedInstance>[0] = {}) {
  const made = peer().attach(attachedInstance({ sockets, ...change }));
  expect(await made.answer()).toMatchObject({ $case: 'accepted', value: { heartbeatMs: 1000, leaseTtlMs: 5000 } });
  return made;
}
const apps = async () => (await controlPlane.status<{ apps: AppStatus[] }>('/v1/apps')).apps;

describe('attaching', () => {
  it('accepts, answers heartbeats, and shows the app', async () => {
    const orders = await attached();
    expect(await orders.send({ $case: 'heartbeat', value: { sequence: 7 } }).answer()).toEqual({
      $case: 'heartbeatAck',
      value: { sequence: 7 },
    });
    await expect
      .poll(apps)
      .toEqual([expect.objectContaining({ appId: 'orders', instanceId: 'orders-1', state: 'ready', pid: 100 })]);
  });

  it('refuses what is wrong for good, and ends the stream', async () => {
    expect(
      await peer()
        .attach(attachedInstance({ appId: 'a b' }))
        .answer(),
    ).toMatchObject({ $case: 'rejected', value: { final: true } });
    expect(await apps()).toEqual([]);
  });

  it('refuses a starting sidecar whose own resources are bad, with place and remedy', async () => {
    writeFileSync(join(directory, 'bad.yaml'), 'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: x}\nspecc: {}\n');
    const answer = await peer()
      .attach(attachedInstance({ resourcesPaths: [directory], starting: true }))
      .answer();
    expect(answer).toMatchObject({ $case: 'rejected', value: { final: true } });
    expect(JSON.stringify(answer)).toContain('bad.yaml');
    expect(JSON.stringify(answer)).toContain('specc');
  });

  it('takes a sidecar back that runs already, whatever its resources say now', async () => {
    writeFileSync(join(directory, 'bad.yaml'), 'kind: Component\n');
    await attached({ resourcesPaths: [directory] });
    expect((await controlPlane.status<{ problems: string[] }>('/v1/problems')).problems).toHaveLength(1);
  });

  it('lets a broken stream count as lost, not as gone', async () => {
    (await attached()).break();
    await expect.poll(async () => (await apps()).map(({ state }) => state)).toEqual(['lost']);
  });

  it('lets a sidecar go that leaves', async () => {
    (await attached()).leave();
    await expect.poll(apps).toEqual([]);
  });
});

describe('what proxies get', () => {
  it('has a new app in it as soon as that app is ready, and proxy-status and proxy-config show it', async () => {
    await attached();
    const envoy = proxy('envoy~default~orders~orders-1');
    expect(Object.keys((await envoy.requestAndAck('cluster')).resources)).toContain('app|default|orders');
    await attached({ appId: 'checkout', instanceId: 'checkout-1', inboundPort: 7002, pid: 2 });
    expect(Object.keys((await envoy.expectAndAck('cluster')).resources)).toEqual(['app|default|checkout']);
    const endpoints = await envoy.requestAndAck('endpoint', { subscribe: ['app|default|checkout'] });
    expect(Object.keys(endpoints.resources)).toEqual(['app|default|checkout']);

    const { proxies } = await controlPlane.status<{ proxies: ProxyStatus[] }>('/v1/proxies');
    const row = proxies.find(({ nodeId }) => nodeId === 'envoy~default~orders~orders-1');
    expect(row?.connected).toBe(true);
    expect(row?.types.slice(0, 3).map(({ state }) => state)).toEqual(['SYNCED', 'SYNCED', 'NOT SENT']);
    expect(proxies.filter(({ connected }) => !connected)).toHaveLength(3);
    const config = await controlPlane.status<{ proxies: ProxyConfig[] }>('/v1/proxies/orders/config?type=endpoint');
    expect(JSON.stringify(config)).toContain('7002');
  });

  it('has the components of the app in it, without their values on the status API', async () => {
    await attached();
    const service = proxy('service~default~orders~orders-1');
    const answer = await service.requestAndAck('component');
    expect(Object.keys(answer.resources).sort()).toEqual(['default/pubsub', 'default/statestore']);
    const { components } = await controlPlane.status<{ components: { name: string; apps: string[] }[] }>('/v1/components');
    expect(components).toContainEqual(expect.objectContaining({ name: 'statestore', type: 'state.sqlite', apps: ['orders'] }));
  });

  it('has actor hosts in it, with a generation', async () => {
    await attached({ actorTypes: ['Cart'] });
    const service = proxy('service~default~orders~orders-1');
    expect(Object.keys((await service.requestAndAck('placement')).resources)).toEqual(['default/Cart']);
  });

  it('has an instance before Published says so, and a proxy that does not answer holds that up for a moment only', async () => {
    await attached();
    const envoy = proxy('envoy~default~orders~orders-1');
    await envoy.requestAndAck('cluster');
    await envoy.requestAndAck('endpoint', { subscribe: ['app|default|orders'] });
    const second = await attached({ instanceId: 'orders-2', inboundPort: 7002, pid: 2, appReady: false });
    const ready = attachedInstance({ instanceId: 'orders-2', inboundPort: 7002, pid: 2 });
    second.send({ $case: 'instance', value: ready }, 2);
    const answered = second.answer();
    const update = await envoy.expect('endpoint');
    expect(await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 200, 'waits'))])).toBe('waits');
    envoy.ack(update);
    expect(await answered).toEqual({ $case: 'published', value: { instanceSequence: 2 } });

    second.send({ $case: 'instance', value: { ...ready, labels: { version: 'v2' }, inboundPort: 7003 } }, 3);
    await envoy.expect('endpoint');
    expect(await second.answer()).toEqual({ $case: 'published', value: { instanceSequence: 3 } });
  });

  it('loses a withdrawn instance, and Withdrawn comes only when the proxies have acknowledged that', async () => {
    await attached();
    const envoy = proxy('envoy~default~orders~orders-1');
    await envoy.requestAndAck('cluster');
    const second = await attached({ instanceId: 'orders-2', inboundPort: 7002, pid: 2 });
    await expect.poll(apps).toHaveLength(2);
    await envoy.requestAndAck('endpoint', { subscribe: ['app|default|orders'] });
    second.send({ $case: 'withdraw', value: {} });
    const answered = second.answer();
    const update = await envoy.expect('endpoint');
    expect(await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 200, 'waits'))])).toBe('waits');
    envoy.ack(update);
    expect(await answered).toMatchObject({ $case: 'withdrawn' });
  });
});

describe('the status API', () => {
  it('says that it is well, in words and in metrics', async () => {
    await attached();
    const get = (path: string) => fetch(`http://${controlPlane.httpAddress}${path}`);
    expect(await (await get('/healthz')).text()).toBe('ok');
    await expect.poll(async () => (await get('/metrics')).text()).toContain('weft_registry_instances 1');
    expect((await get('/v1/proxies/nobody/config')).status).toBe(404);
    expect((await get('/v1/proxies/orders/config?type=clusters')).status).toBe(400);
    expect((await get('/nothing')).status).toBe(404);
    const post = await fetch(`http://${controlPlane.httpAddress}/v1/apps`, { method: 'POST' });
    expect(post.status).toBe(405);
  });
});

describe('a port that is taken', () => {
  it.each([
    ['port', '--port'],
    ['httpPort', '--http-port'],
  ] as const)('is one line that names the flag (%s), and nothing is left running', async (option, flag) => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)),
    );
    const failure = await startTestControlPlane({ [option]: port }).catch((error: unknown) => error);
    taken.close();
    expect(failure).toBeInstanceOf(UsageError);
    expect((failure as UsageError).message).toContain(`port ${port}`);
    expect((failure as UsageError).message).toContain(flag);
  });
});
