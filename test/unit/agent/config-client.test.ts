import { Server as GrpcServer, type Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ConfigClient, createConfigClient } from '../../../src/agent/config-client.js';
import { type ControlPlaneChannel, openControlPlaneChannel } from '../../../src/agent/control-plane-channel.js';
import { UsageError } from '../../../src/errors.js';
import { AggregatedDiscoveryServiceService } from '../../../src/gen/envoy/service/discovery/v3/ads.js';
import { type DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { Component, Subscription } from '../../../src/gen/weft/config/v1/config.js';
import { deferred } from '../../../src/lib/async.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import { eventually } from '../../support/eventually.js';

type Call = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

let server: Server;
let channel: ControlPlaneChannel;
let client: ConfigClient;
let requests: DeltaDiscoveryRequest[];
let stream: Call;

beforeEach(async () => {
  requests = [];
  server = new GrpcServer();
  server.addService(AggregatedDiscoveryServiceService, {
    streamAggregatedResources: (call: Call) => call.end(),
    deltaAggregatedResources: (call: Call) => {
      stream = call;
      call.on('error', () => {});
      call.on('end', () => call.end());
      call.on('data', (request: DeltaDiscoveryRequest) => requests.push(request));
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  channel = openControlPlaneChannel(`127.0.0.1:${port}`);
  const node = { role: 'service', namespace: 'default', appId: 'orders', instanceId: 'orders-1' } as const;
  client = createConfigClient({ channel, node, logger: silentLogger });
});
afterEach(() => {
  client.close();
  channel.close();
  server.forceShutdown();
});

/** Starts the client and waits for its first requests. */
async function subscribed(count: number): Promise<void> {
  client.start();
  await eventually(() => expect(requests).toHaveLength(count));
}

function send(nonce: string, names: readonly string[], removed: readonly string[] = []): void {
  const resources = names.map((name) => ({
    name,
    version: `v-${nonce}`,
    resource: {
      typeUrl: resourceTypes.component,
      value: Buffer.from(Component.encode(Component.fromPartial({ name })).finish()),
    },
  }));
  stream.write(
    DeltaDiscoveryResponse.fromPartial({ typeUrl: resourceTypes.component, nonce, resources, removedResources: [...removed] }),
  );
}

it('subscribes to every kind that has an applier, and names its node once', async () => {
  client.on('component', async () => {});
  client.on('subscription', async () => {});
  await subscribed(2);
  expect(requests.map(({ typeUrl, resourceNamesSubscribe }) => [typeUrl, resourceNamesSubscribe])).toEqual([
    [resourceTypes.component, ['*']],
    [resourceTypes.subscription, ['*']],
  ]);
  expect(requests.map(({ node }) => node?.id)).toEqual(['service~default~orders~orders-1', undefined]);
});

it('acknowledges only what is in force', async () => {
  const applying = deferred<void>();
  const changes: unknown[] = [];
  client.on('component', async ({ updated, removed }) => {
    changes.push([[...updated.values()].map(({ name }) => name), removed]);
    await applying.promise;
  });
  await subscribed(1);
  send('1', ['a', 'b'], ['c']);
  await eventually(() => expect(changes).toEqual([[['a', 'b'], ['c']]]));
  expect(requests).toHaveLength(1);
  applying.resolve();
  await client.inForce;
  await eventually(() => expect(requests[1]).toMatchObject({ responseNonce: '1', errorDetail: undefined }));
});

it('refuses what cannot be applied with the reason, and goes on', async () => {
  client.on('component', async ({ updated }) => {
    if (updated.has('bad')) throw new Error('component bad: no such file');
  });
  await subscribed(1);
  send('1', ['good']);
  send('2', ['bad']);
  send('3', ['better']);
  await eventually(() => expect(requests).toHaveLength(4));
  expect(requests.slice(1).map(({ responseNonce, errorDetail }) => [responseNonce, errorDetail?.message])).toEqual([
    ['1', undefined],
    ['2', 'component bad: no such file'],
    ['3', undefined],
  ]);
});

it('takes a failure of the very first configuration for a mistake of whoever started it', async () => {
  client.on('component', async () => {
    throw new Error('component bad: no such file');
  });
  await subscribed(1);
  send('1', ['bad']);
  await expect(client.inForce).rejects.toEqual(new UsageError('component bad: no such file'));
});

it('tells on a reconnect which versions are in force, without what is gone or was refused', async () => {
  client.on('component', async ({ updated }) => {
    if (updated.has('bad')) throw new Error('no');
  });
  await subscribed(1);
  send('1', ['a', 'b', 'c']);
  send('2', ['b'], ['c']);
  send('3', ['bad']);
  await eventually(() => expect(requests).toHaveLength(4));
  stream.emit('error', Object.assign(new Error('gone'), { code: 14, details: 'gone' }));
  await eventually(() => expect(requests).toHaveLength(5));
  expect(requests[4]?.initialResourceVersions).toEqual({ a: 'v-1', b: 'v-2' });
});

it('applies subscriptions after the components that came before them', async () => {
  const order: string[] = [];
  const slow = deferred<void>();
  client.on('component', async () => {
    await slow.promise;
    order.push('component');
  });
  client.on('subscription', async () => void order.push('subscription'));
  await subscribed(2);
  send('1', ['a']);
  const value = Buffer.from(Subscription.encode(Subscription.fromPartial({ name: 's' })).finish());
  const resource = { name: 's', version: '1', resource: { typeUrl: resourceTypes.subscription, value } };
  stream.write(DeltaDiscoveryResponse.fromPartial({ typeUrl: resourceTypes.subscription, nonce: '2', resources: [resource] }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(order).toEqual([]);
  slow.resolve();
  await client.inForce;
  expect(order).toEqual(['component', 'subscription']);
});

it('connects anew when it is told to, and says which changes came on which connection', async () => {
  const connections: (number | undefined)[] = [];
  client.on('component', async ({ connection }) => void connections.push(connection));
  await subscribed(1);
  send('1', ['a']);
  await eventually(() => expect(connections).toEqual([1]));
  const next = client.renew();
  await eventually(() => expect(requests.at(-1)?.initialResourceVersions).toEqual({ a: 'v-1' }));
  send('2', []);
  await eventually(() => expect(connections).toEqual([1, next]));
});
