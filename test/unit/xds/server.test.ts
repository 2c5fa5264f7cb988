import { afterEach, describe, expect, it } from 'vitest';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import type { AdsServerOptions } from '../../../src/xds/server.js';
import { type AdsFixture, startAds } from '../../support/ads-fixture.js';
import { openDeafClient } from '../../support/deaf-client.js';
import { createTestSource, type SnapshotSpec, snapshotOf, type TestSource } from '../../support/xds-fixtures.js';

let fixture: AdsFixture;
let source: TestSource;

async function serve(spec: SnapshotSpec | undefined, options: Partial<AdsServerOptions> = {}) {
  source = createTestSource(spec && snapshotOf(spec));
  fixture = await startAds(source, options);
  return fixture.client();
}
const show = (spec: SnapshotSpec) => source.set(snapshotOf(spec));
const stateOf = (type: keyof typeof resourceTypes) =>
  fixture.ads.status.proxies()[0]?.types.find(({ typeUrl }) => typeUrl === resourceTypes[type]);

afterEach(() => fixture.close());

describe('a delta stream', () => {
  it('answers the first request of a wildcard even when there is nothing', async () => {
    const client = await serve({});
    expect(await client.requestAndAck('cluster')).toMatchObject({ resources: {}, removed: [] });
  });

  it('sends what exists and names what does not', async () => {
    const client = await serve({ endpoint: { a: '1' } });
    const answer = await client.requestAndAck('endpoint', { subscribe: ['a', 'x'] });
    expect(answer).toMatchObject({ resources: { a: '1' }, removed: ['x'] });
  });

  it('waits until the instance of the node is attached', async () => {
    const client = await serve(undefined);
    client.request('cluster');
    await client.expectNoResponse();
    show({ cluster: { a: '1' } });
    expect((await client.expectAndAck('cluster')).resources).toEqual({ a: '1' });
  });

  it('sends only what changed', async () => {
    const client = await serve({ cluster: { a: '1', b: '1' } });
    await client.requestAndAck('cluster');
    show({ cluster: { a: '1', b: '2' } });
    expect(await client.expectAndAck('cluster')).toMatchObject({ resources: { b: '2' }, removed: [] });
    show({ cluster: { a: '1', b: '2' } });
    await client.expectNoResponse();
  });

  it('merges changes that come while a response is not acknowledged into one', async () => {
    const client = await serve({ cluster: { a: '1' } });
    const first = await client.request('cluster').expect('cluster');
    show({ cluster: { a: '2' } });
    show({ cluster: { a: '3', b: '1' } });
    await client.expectNoResponse();
    client.ack(first);
    expect((await client.expectAndAck('cluster')).resources).toEqual({ a: '3', b: '1' });
    await client.expectNoResponse();
  });

  it('takes an ACK with a stale nonce for none', async () => {
    const client = await serve({ cluster: { a: '1' } });
    const first = await client.request('cluster').expect('cluster');
    show({ cluster: { a: '2' } });
    client.ack({ ...first, nonce: 'stale' });
    await client.expectNoResponse();
  });

  it('sends a reconnecting client only the differences, removals too', async () => {
    const client = await serve({ cluster: { a: '1', b: '2' } });
    const initialVersions = { a: '1', b: '1', gone: '1' };
    expect((await client.requestAndAck('cluster', { initialVersions })).resources).toEqual({ b: '2' });
    expect((await client.expectAndAck('cluster')).removed).toEqual(['gone']);
  });

  it('leaves a reconnecting client in peace while settling, and catches up after it', async () => {
    source = createTestSource(snapshotOf({ cluster: { a: '2', fresh: '1' } }));
    source.setSettling(true);
    fixture = await startAds(source);
    const client = fixture.client();
    const answer = await client.requestAndAck('cluster', { initialVersions: { a: '1', absent: '1' } });
    expect(answer).toMatchObject({ resources: { fresh: '1' }, removed: [] });
    await client.expectNoResponse();
    source.setSettling(false);
    expect((await client.expectAndAck('cluster')).resources).toEqual({ a: '2' });
    expect((await client.expectAndAck('cluster')).removed).toEqual(['absent']);
  });

  it('sends a client without a valid node id away', async () => {
    await serve({});
    const stranger = fixture.client('orders');
    stranger.request('cluster');
    expect((await stranger.expectEnd()).details).toContain('node id "orders"');
  });

  it('ends the older of two streams of one node', async () => {
    const client = await serve({});
    await client.requestAndAck('cluster');
    const newer = fixture.client();
    await newer.requestAndAck('cluster');
    expect((await client.expectEnd()).details).toContain('newer stream');
    expect(fixture.counts.streams).toBe(1);
  });
});

describe('make before break', () => {
  const before: SnapshotSpec = { cluster: { old: '1' }, endpoint: { old: '1' }, route: { r: '1' } };
  const after: SnapshotSpec = { cluster: { new: '1' }, endpoint: { new: '1' }, route: { r: '2' } };

  it('sends new clusters, their endpoints, then routes, and removes clusters last', async () => {
    const client = await serve(before);
    await client.requestAndAck('cluster');
    await client.requestAndAck('endpoint', { subscribe: ['old'] });
    await client.requestAndAck('route', { subscribe: ['r'] });
    show(after);
    const clusters = await client.expect('cluster');
    expect(clusters).toMatchObject({ resources: { new: '1' }, removed: [] });
    await client.expectNoResponse();
    client.ack(clusters);
    // A CDS ACK is not readiness: the cluster has no endpoints yet.
    await client.expectNoResponse('route');
    expect((await client.requestAndAck('endpoint', { subscribe: ['new'] })).resources).toEqual({ new: '1' });
    const routes = await client.expect('route');
    expect(routes.resources).toEqual({ r: '2' });
    await client.expectNoResponse('cluster');
    client.ack(routes);
    expect((await client.expectAndAck('cluster')).removed).toEqual(['old']);
  });

  it('does not wait for ever for endpoints that nobody asks for', async () => {
    const client = await serve(before, { warmingMs: 200 });
    await client.requestAndAck('cluster');
    await client.requestAndAck('route', { subscribe: ['r'] });
    show(after);
    await client.expectAndAck('cluster');
    expect((await client.expectAndAck('route')).resources).toEqual({ r: '2' });
  });

  it('answers the endpoints of an updated cluster again, though they are unchanged (envoy#13009)', async () => {
    const client = await serve({ cluster: { a: '1', b: '1' }, endpoint: { a: '1', b: '1' } });
    await client.requestAndAck('cluster');
    await client.requestAndAck('endpoint', { subscribe: ['a', 'b'] });
    show({ cluster: { a: '2', b: '1' }, endpoint: { a: '1', b: '1' } });
    await client.expectAndAck('cluster');
    expect((await client.expectAndAck('endpoint')).resources).toEqual({ a: '1' });
  });

  it('answers them again also when the cluster was updated while the client was away', async () => {
    const client = await serve({ cluster: { a: '2' }, endpoint: { a: '1', b: '1' } });
    await client.requestAndAck('cluster', { initialVersions: { a: '1' } });
    const answer = await client.requestAndAck('endpoint', { subscribe: ['a', 'b'], initialVersions: { a: '1', b: '1' } });
    expect(answer.resources).toEqual({ a: '1' });
  });

  it('keeps a removed cluster while a refused route may still name it', async () => {
    const client = await serve(before);
    await client.requestAndAck('cluster');
    await client.requestAndAck('endpoint', { subscribe: ['old'] });
    await client.requestAndAck('route', { subscribe: ['r'] });
    show({ cluster: {}, endpoint: {}, route: { r: 'bad' } });
    client.nack(await client.expect('route'), 'no such filter');
    await client.expectNoResponse();
    show({ cluster: {}, endpoint: {}, route: { r: '3' } });
    await client.expectAndAck('route');
    expect((await client.expectAndAck('cluster')).removed).toEqual(['old']);
  });
});

describe('a NACK', () => {
  it('is recorded with type, version and the words of the proxy', async () => {
    const client = await serve({ listener: { l: 'bad' } });
    await client.requestAndNack('listener', 'port 70000 is out of range');
    await client.expectNoResponse();
    expect(stateOf('listener')).toMatchObject({
      state: 'NACKED',
      nack: { message: 'port 70000 is out of range', resources: [{ name: 'l', version: 'bad' }] },
    });
    expect(fixture.counts.nacks).toBe(1);
  });

  it('pauses that version only: the next one goes out and clears it', async () => {
    const client = await serve({ listener: { l: 'bad' } });
    await client.requestAndNack('listener', 'no');
    show({ listener: { l: 'good' } });
    expect((await client.expectAndAck('listener')).resources).toEqual({ l: 'good' });
    await client.expectNoResponse();
    expect(stateOf('listener')).toMatchObject({ state: 'SYNCED', nack: undefined });
  });

  it('stays while the bad resource does, whatever else is accepted', async () => {
    const client = await serve({ cluster: { bad: '1' } });
    await client.requestAndNack('cluster', 'no');
    show({ cluster: { bad: '1', other: '1' } });
    await client.expectAndAck('cluster');
    await client.expectNoResponse();
    expect(stateOf('cluster')?.state).toBe('NACKED');
  });

  it('is traced to the resource that the proxy names, and the others are sent again', async () => {
    const client = await serve({ route: { one: '1', bad: '1', two: '1' } });
    await client.requestAndNack('route', 'no such filter in bad', { subscribe: ['one', 'bad', 'two'] });
    expect((await client.expectAndAck('route')).resources).toEqual({ one: '1', two: '1' });
    client.nack(await client.expect('route'), 'no such filter in bad');
    await client.expectNoResponse();
    expect(stateOf('route')?.nack?.resources).toEqual([{ name: 'bad', version: '1' }]);
  });

  it('is traced by halves when the proxy names nothing', async () => {
    const client = await serve({ component: { a: '1', b: '1', c: '1', bad: '1' } });
    await client.requestAndNack('component', 'init failed');
    const applied: string[] = [];
    for (let step = 0; step < 4; step += 1) {
      const part = await client.expect('component');
      if ('bad' in part.resources) client.nack(part, 'init failed');
      else {
        client.ack(part);
        applied.push(...Object.keys(part.resources));
      }
    }
    await client.expectNoResponse();
    expect(applied.sort()).toEqual(['a', 'b', 'c']);
    expect(stateOf('component')?.nack?.resources).toEqual([{ name: 'bad', version: '1' }]);
  });

  it('still pauses that version after a reconnect, and the next one goes out (envoy#34334)', async () => {
    const client = await serve({ cluster: { a: '1' } });
    await client.requestAndAck('cluster');
    show({ cluster: { a: 'bad' } });
    client.nack(await client.expect('cluster'), 'no');
    await client.expectNoResponse();
    client.close();
    const again = fixture.client();
    again.request('cluster', { initialVersions: { a: '1' } });
    await again.expectNoResponse();
    expect(stateOf('cluster')?.state).toBe('NACKED');
    show({ cluster: { a: '3' } });
    expect((await again.expectAndAck('cluster')).resources).toEqual({ a: '3' });
  });

  it('is forgotten when the proxy starts anew', async () => {
    const client = await serve({ cluster: { a: 'bad' } });
    await client.requestAndNack('cluster', 'no');
    client.close();
    const restarted = fixture.client();
    expect((await restarted.requestAndAck('cluster')).resources).toEqual({ a: 'bad' });
  });

  it('is over when the refused version is taken back', async () => {
    const client = await serve({ cluster: { a: '1' } });
    await client.requestAndAck('cluster');
    show({ cluster: { a: 'bad' } });
    client.nack(await client.expect('cluster'), 'no');
    show({ cluster: { a: '1' } });
    await client.expectAndAck('cluster');
    await client.expectNoResponse();
    expect(stateOf('cluster')?.state).toBe('SYNCED');
  });
});

describe('status', () => {
  it('says NOT SENT, STALE and SYNCED', async () => {
    const client = await serve({ cluster: { a: '1' } });
    const answer = await client.request('cluster').expect('cluster');
    expect([stateOf('cluster')?.state, stateOf('route')?.state]).toEqual(['STALE', 'NOT SENT']);
    client.ack(answer);
    await client.expectNoResponse();
    expect(stateOf('cluster')).toMatchObject({ state: 'SYNCED', ackedNonce: answer.nonce, resources: 1 });
  });

  it('shows what was sent, with the configuration as people may see it', async () => {
    const client = await serve({ cluster: { a: '1' } });
    await client.requestAndAck('cluster');
    expect(fixture.ads.status.sent('envoy~default~orders~orders-1', resourceTypes.cluster)).toEqual([
      { name: 'a', version: '1', accepted: true, config: { name: 'a', version: '1' } },
    ]);
  });

  it('knows when every connected Envoy has acknowledged the endpoints', async () => {
    const client = await serve({ endpoint: { a: '1' } });
    await client.requestAndAck('endpoint', { subscribe: ['a'] });
    show({ endpoint: { a: '2' } });
    const answer = await client.expect('endpoint');
    expect(await fixture.ads.endpointsAcked(50)).toBe(false);
    const acked = fixture.ads.endpointsAcked(5_000);
    client.ack(answer);
    expect(await acked).toBe(true);
  });

  it('takes what an Envoy has refused for settled, but not what it has not answered', async () => {
    const client = await serve({ endpoint: { a: '1' } });
    await client.requestAndAck('endpoint', { subscribe: ['a'] });
    show({ endpoint: { a: '2' } });
    const answer = await client.expect('endpoint');
    expect(await fixture.ads.settled(50)).toBe(false);
    const settled = fixture.ads.settled(5_000);
    client.nack(answer, 'no');
    expect(await settled).toBe(true);
  });

  it('does not wait for an Envoy that goes away', async () => {
    const client = await serve({ endpoint: { a: '1' } });
    await client.request('endpoint', { subscribe: ['a'] }).expect('endpoint');
    const acked = fixture.ads.endpointsAcked(5_000);
    client.close();
    expect(await acked).toBe(true);
  });
});

describe('a client that does not read', () => {
  it('is cut off, counted, and holds nobody up', async () => {
    const big = { name: 'big', version: '1', bytes: Buffer.alloc(1024 * 1024), describe: () => null };
    source = createTestSource(new Map([[resourceTypes.cluster, new Map([['big', big]])]]));
    fixture = await startAds(source, { limits: { maxStallMs: 300, maxBufferedBytes: 64 * 1024 * 1024 } });
    const deaf = openDeafClient(fixture.address, 'envoy~default~slow~slow-1');
    const quick = fixture.client();
    expect((await quick.requestAndAck('cluster')).resources).toEqual({ big: '1' });
    await expect.poll(() => fixture.counts.cut, { timeout: 5_000 }).toBe(1);
    await expect.poll(() => deaf.reset, { timeout: 5_000 }).toBe(true);
    expect(fixture.counts.streams).toBe(1);
    show({ cluster: { small: '1' } });
    expect((await quick.expectAndAck('cluster')).resources).toEqual({ small: '1' });
    deaf.close();
  });

  it('is cut off at once when more waits to leave than it may', async () => {
    const big = { name: 'big', version: '1', bytes: Buffer.alloc(1024 * 1024), describe: () => null };
    source = createTestSource(new Map([[resourceTypes.cluster, new Map([['big', big]])]]));
    fixture = await startAds(source, { limits: { maxStallMs: 60_000, maxBufferedBytes: 512 * 1024 } });
    const deaf = openDeafClient(fixture.address, 'envoy~default~slow~slow-1');
    await expect.poll(() => fixture.counts.cut, { timeout: 5_000 }).toBe(1);
    deaf.close();
  });
});
