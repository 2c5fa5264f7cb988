import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Envoy } from '../../../src/agent/envoy/process.js';
import { sleep } from '../../../src/lib/async.js';
import { nodeId } from '../../../src/model/names.js';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import { type AdsFixture, startAds } from '../../support/ads-fixture.js';
import { freePort } from '../../support/ports.js';
import {
  type ApiType,
  clusterResource,
  get,
  startRealEnvoy,
  startUpstream,
  type TinyMesh,
  tinySnapshot,
} from '../../support/xds-envoy.js';
import { createTestSource, type TestSource, testNode } from '../../support/xds-fixtures.js';

let source: TestSource;
let server: AdsFixture;
let envoy: Envoy & { close(): Promise<void> };
let one: Awaited<ReturnType<typeof startUpstream>>;
let two: Awaited<ReturnType<typeof startUpstream>>;
let mesh: TinyMesh;

const show = (next: Partial<TinyMesh>) => {
  mesh = { ...mesh, ...next };
  source.set(tinySnapshot(mesh));
};
const answer = () => get(mesh.listenerPort);
const settled = (want: string) => expect.poll(answer, { timeout: 15_000, interval: 50 }).toBe(want);
const clusterStatus = () =>
  server.ads.status
    .proxies()
    .find(({ nodeId: id }) => id === nodeId(testNode))
    ?.types.find(({ typeUrl }) => typeUrl === resourceTypes.cluster);
const badCluster = (timeoutMs: number) => [[resourceTypes.cluster, clusterResource('bad', timeoutMs)]] as const;

describe.each<ApiType>(['DELTA_GRPC', 'GRPC'])('asked by %s', (apiType) => {
  beforeEach(async () => {
    [one, two] = await Promise.all([startUpstream('one'), startUpstream('two')]);
    mesh = { clusters: { first: one.port }, target: 'first', listenerPort: await freePort() };
    source = createTestSource(tinySnapshot(mesh));
    server = await startAds(source);
    envoy = await startRealEnvoy(testNode, server.address, apiType);
    await settled('200 one');
  });

  afterEach(async () => {
    await envoy.close();
    await server.close();
    one.close();
    two.close();
  });

  it('follows endpoints, and clusters that change while their endpoints do not', async () => {
    show({ clusters: { first: two.port } });
    await settled('200 two');
    show({ connectTimeoutMs: 1234 });
    await expect
      .poll(async () => (await envoy.admin.call('GET', '/config_dump?resource=dynamic_active_clusters')).body, {
        timeout: 10_000,
      })
      .toContain('"connect_timeout": "1.234s"');
    expect(await answer()).toBe('200 two');
    expect(await server.ads.endpointsAcked(5_000)).toBe(true);
  });

  it('loses no request while routes move between clusters that come and go', async () => {
    const answers: string[] = [];
    let moving = true;
    const load = Array.from({ length: 4 }, async () => {
      while (moving) answers.push(await answer());
    });
    for (let step = 1; step <= 20; step += 1) {
      const name = `step-${step}`;
      show({ clusters: { [name]: step % 2 ? two.port : one.port }, target: name });
      await sleep(60);
    }
    moving = false;
    await Promise.all(load);
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter((text) => !text.startsWith('200'))).toEqual([]);
  });

  it('applies the rest when one resource is refused, says so, and recovers with the next good version', async () => {
    show({ clusters: { first: two.port, second: one.port }, target: 'second', extra: badCluster(-1) });
    await settled('200 one');
    await expect.poll(() => clusterStatus()?.nack?.resources.map(({ name }) => name), { timeout: 5_000 }).toEqual(['bad']);
    expect(clusterStatus()?.nack?.message).toMatch(/^Invalid duration/);
    show({ extra: badCluster(500) });
    await expect.poll(() => clusterStatus()?.state, { timeout: 5_000 }).toBe('SYNCED');
  });

  it('keeps its configuration when the control plane goes and comes, and follows it again', async () => {
    const port = Number(server.address.split(':')[1]);
    await server.close();
    expect(await answer()).toBe('200 one');
    source = createTestSource(tinySnapshot(mesh));
    source.setSettling(true);
    server = await startAds(source, {}, port);
    await expect.poll(() => server.counts.streams, { timeout: 15_000 }).toBe(1);
    // The same content has the same versions: nothing is sent again.
    await sleep(300);
    expect(server.counts.pushes).toBe(0);
    source.setSettling(false);
    show({ clusters: { first: two.port } });
    await settled('200 two');
  });

  it('takes the next good version after a refusal and a reconnect (envoy#34334)', async () => {
    show({ extra: badCluster(-1) });
    await expect.poll(() => clusterStatus()?.state, { timeout: 5_000 }).toBe('NACKED');
    const port = Number(server.address.split(':')[1]);
    await server.close();
    server = await startAds(source, {}, port);
    await expect.poll(() => clusterStatus()?.state, { timeout: 15_000 }).toBe('NACKED');
    show({ clusters: { first: one.port, second: two.port }, target: 'second', extra: badCluster(500) });
    await settled('200 two');
    await expect.poll(() => clusterStatus()?.state, { timeout: 5_000 }).toBe('SYNCED');
  });
});
