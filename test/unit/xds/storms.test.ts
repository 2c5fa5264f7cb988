import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AggregatedDiscoveryServiceClient } from '../../../src/gen/envoy/service/discovery/v3/ads.js';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { type AttachRequest, Instance } from '../../../src/gen/weft/registry/v1/registry.js';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import { AttachPeer, startTestControlPlane, type TestControlPlane } from '../../support/control-plane-fixture.js';
import { DeltaClient } from '../../support/delta-client.js';
import { eventually } from '../../support/eventually.js';
import { attachedInstance } from '../../support/instances.js';

/** Storms of events (case F4) and peers of other versions (F13), against a whole control plane. */

let controlPlane: TestControlPlane;
const cleanups: (() => void)[] = [];
beforeEach(async () => {
  // The peers here do not beat, and on a busy machine a storm of three hundred takes longer than a sidecar's lease.
  controlPlane = await startTestControlPlane({ leaseTtlMs: 120_000 });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  await controlPlane.close();
});

async function attached(change: Parameters<typeof attachedInstance>[0] = {}): Promise<AttachPeer> {
  const peer = new AttachPeer(controlPlane.grpcAddress).attach(attachedInstance(change));
  cleanups.push(() => peer.break());
  expect((await peer.answer()).$case).toBe('accepted');
  return peer;
}
const proxy = (id: string) => {
  const client = new DeltaClient(controlPlane.grpcAddress, id);
  cleanups.push(() => client.close());
  return client;
};

it('seven hundred flaps of one instance cost the others few pushes, and the last word counts', async () => {
  await attached();
  const flapping = { instanceId: 'orders-2', inboundPort: 7002, pid: 2 };
  const peer = await attached(flapping);
  const envoy = proxy('envoy~default~orders~orders-1');
  await envoy.requestAndAck('cluster');
  let newest = await envoy.requestAndAck('endpoint', { subscribe: ['app|default|orders'] });
  const both = newest.resources['app|default|orders'];
  for (let i = 0; i < 700; i += 1)
    peer.send({ $case: 'instance', value: attachedInstance({ ...flapping, appReady: i % 2 === 0 }) }, i + 1);
  // Each one is read, also those whose change was overtaken.
  let pushes = 0;
  const follow = async () => {
    for (;;) {
      newest = await envoy.expectAndAck('endpoint');
      pushes += 1;
    }
  };
  const following = follow().catch(() => {});
  const answers: number[] = [];
  while (answers.at(-1) !== 700) {
    const answer = await peer.answer();
    if (answer.$case === 'published') answers.push(answer.value.instanceSequence);
  }
  await eventually(() => expect(newest.resources['app|default|orders']).not.toBe(both));
  envoy.close();
  await following;
  expect(pushes).toBeLessThan(100);
}, 30_000);

it('three hundred proxies that come back at once get what has changed and nothing else', async () => {
  await attached();
  const nodes = Array.from({ length: 300 }, (_, i) => ({
    instanceId: `web-${i}`,
    appId: 'web',
    pid: 100 + i,
    inboundPort: 8000 + i,
  }));
  const peers = await Promise.all(nodes.map((node) => attached({ ...node, appReady: false })));
  const subscribe = ['app|default|orders'];
  const come = async (initialVersions: Record<string, string>) => {
    const clients = nodes.map(({ instanceId }) => proxy(`envoy~default~web~${instanceId}`));
    const received = await Promise.all(
      clients.map(async (client) => {
        await client.requestAndAck('cluster');
        return client.requestAndAck('endpoint', { subscribe, initialVersions });
      }),
    );
    return { clients, versions: new Set(received.map(({ resources }) => resources['app|default|orders'])) };
  };
  const first = await come({});
  expect(first.versions.size).toBe(1);
  for (const client of first.clients) client.close();
  // Who comes before the model is made anew still gets the old endpoints, so one that is there already sees it first.
  const witness = proxy('envoy~default~orders~orders-1');
  await witness.requestAndAck('cluster');
  await witness.requestAndAck('endpoint', { subscribe });
  await attached({ instanceId: 'orders-2', inboundPort: 7002, pid: 2 });
  await witness.expectAndAck('endpoint');
  const [before = ''] = first.versions;
  const { versions } = await come({ 'app|default|orders': before });
  expect(versions.size).toBe(1);
  expect([...versions]).not.toContain(before);
  expect(peers).toHaveLength(300);
}, 60_000);

it('a newer sidecar that tells and asks more than is known here gets everything else', async () => {
  const peer = new AttachPeer(controlPlane.grpcAddress);
  cleanups.push(() => peer.break());
  const future = Instance.decode(
    Buffer.concat([Instance.encode(attachedInstance()).finish(), Buffer.from([0xfa, 0x3f, 0x03, 0x6e, 0x65, 0x77])]),
  );
  peer.attach(future);
  expect((await peer.answer()).$case).toBe('accepted');
  // An event that this version has not got.
  peer.send(undefined as unknown as NonNullable<AttachRequest['event']>);
  peer.send({ $case: 'heartbeat', value: { sequence: 1 } });
  expect(await peer.answer()).toEqual({ $case: 'heartbeatAck', value: { sequence: 1 } });

  const client = new AggregatedDiscoveryServiceClient(controlPlane.grpcAddress, credentials.createInsecure());
  const stream: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> = client.deltaAggregatedResources();
  cleanups.push(() => {
    stream.on('error', () => {});
    stream.cancel();
    client.close();
  });
  const types: string[] = [];
  stream.on('data', ({ typeUrl }: DeltaDiscoveryResponse) => void types.push(typeUrl));
  const node = { id: 'service~default~orders~orders-1' };
  for (const typeUrl of ['type.googleapis.com/weft.config.v1.OfTomorrow', resourceTypes.component])
    stream.write(DeltaDiscoveryRequest.fromPartial({ node, typeUrl, resourceNamesSubscribe: ['*'] }));
  await eventually(() => expect(types).toEqual([resourceTypes.component]));
});
