import { type handleUnaryCall, type Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type {
  ListTopicSubscriptionsResponse,
  TopicEventBulkRequest,
  TopicEventBulkResponse,
  TopicEventRequest,
  TopicEventResponse,
} from '../../../../src/gen/dapr/proto/runtime/v1/appcallback.js';
import type { Empty } from '../../../../src/gen/google/protobuf/empty.js';
import { eventually } from '../../../support/eventually.js';
import { startGrpcApp } from '../../../support/grpc-app.js';
import { publishing, pubsubFixture } from '../../../support/pubsub-fixture.js';

const SUCCESS = 0;
const RETRY = 1;
const DROP = 2;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const fail = (code: number) => ({ code, details: 'no' });

/** An app subscribed to `orders` (and to `dead`, the dead-letter topic of `orders` when asked for). */
async function rig(
  answer: (request: TopicEventRequest, attempt: number) => TopicEventResponse | { code: number },
  deadLetterTopic = '',
) {
  const seen: { request: TopicEventRequest; metadata: Metadata }[] = [];
  const onTopicEvent: handleUnaryCall<TopicEventRequest, TopicEventResponse> = ({ request, metadata }, callback) => {
    seen.push({ request, metadata });
    if (request.topic === 'dead') return callback(null, { status: SUCCESS });
    const reply = answer(request, seen.length);
    if ('code' in reply) callback(reply);
    else callback(null, reply);
  };
  const base = { pubsubName: 'pubsub', metadata: {} };
  const listTopicSubscriptions: handleUnaryCall<Empty, ListTopicSubscriptionsResponse> = (_, callback) =>
    callback(null, {
      subscriptions: [
        {
          ...base,
          topic: 'orders',
          deadLetterTopic,
          routes: { rules: [{ match: 'event.type == "x"', path: '/x' }], default: '/any' },
        },
        { ...base, topic: 'dead', deadLetterTopic: '' },
      ],
    });
  const app = await startGrpcApp({ onTopicEvent, listTopicSubscriptions });
  const fixture = await pubsubFixture({ app: app.channel, callback: app.callback });
  await fixture.service.start();
  return { seen, ...fixture, topics: () => seen.map(({ request }) => request.topic) };
}

describe('an event on its way to a gRPC app', () => {
  it('has the fields of the reference, JSON data as it was published', async () => {
    const { seen, service } = await rig(() => ({ status: SUCCESS }));
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    const data = Buffer.from('{ "n": 12345678901234567890 }');
    const metadata = { 'cloudevent.type': 'x', 'cloudevent.id': '7', key: 'v', 'dapr-forged': 'x' };
    await service.publish({ ...publishing({}), data, metadata, trace });
    await eventually(() => expect(seen).toHaveLength(1));
    const { request, metadata: sent } = seen[0]!;
    expect(request).toMatchObject({
      id: '7',
      source: 'app',
      type: 'x',
      specVersion: '1.0',
      dataContentType: 'application/json',
      topic: 'orders',
      pubsubName: 'pubsub',
      path: '/x',
      extensions: { topic: 'orders', pubsubname: 'pubsub', ...trace, traceid: trace.traceparent },
    });
    expect(request.data.toString()).toBe(data.toString());
    const names = ['key', 'traceparent', 'pubsubname', 'dapr-api-token', 'dapr-forged'];
    expect(names.map((name) => sent.get(name)[0])).toEqual(['v', trace.traceparent, 'pubsub', 'app-token', undefined]);
  });

  it.each([
    ['text/plain', 'häl"lo', 'häl"lo'],
    ['application/octet-stream', '\u0000\u0001', '\u0000\u0001'],
  ])('carries %s data decoded', async (contentType, text, expected) => {
    const { seen, service } = await rig(() => ({ status: SUCCESS }));
    await service.publish({ ...publishing({}), data: Buffer.from(text), contentType });
    await eventually(() => expect(seen[0]?.request.data.toString()).toBe(expected));
    expect(seen[0]?.request.path).toBe('/any');
  });
});

describe('what a gRPC app’s answer makes of an event', () => {
  it.each([
    ['SUCCESS: done', { status: SUCCESS }, ['orders']],
    ['DROP: dead letter', { status: DROP }, ['orders', 'dead']],
    ['RETRY with a dead-letter topic: dead letter', { status: RETRY }, ['orders', 'dead']],
    ['an unknown status: as RETRY', { status: 9 as never }, ['orders', 'dead']],
    ['an error: as RETRY', fail(status.INTERNAL), ['orders', 'dead']],
    ['UNIMPLEMENTED: dropped, without dead letter', fail(status.UNIMPLEMENTED), ['orders']],
  ])('%s', async (_, answer, expected) => {
    const { service, topics } = await rig(() => answer, 'dead');
    await service.publish(publishing({}));
    await eventually(() => expect(topics()).toEqual(expected));
    await sleep(120);
    expect(topics()).toEqual(expected);
  });

  it('RETRY without a dead-letter topic: comes again until it succeeds', async () => {
    const { service, topics } = await rig((_, attempt) => ({ status: attempt < 3 ? RETRY : SUCCESS }));
    await service.publish(publishing({}));
    await eventually(() => expect(topics()).toHaveLength(3));
    await sleep(120);
    expect(topics()).toHaveLength(3);
  });
});

describe('bulk subscription of a gRPC app', () => {
  const start = async (method: 'stable' | 'alpha') => {
    const batches: TopicEventBulkRequest[] = [];
    const bulk: handleUnaryCall<TopicEventBulkRequest, TopicEventBulkResponse> = ({ request }, callback) => {
      batches.push(request);
      callback(null, { statuses: request.entries.slice(0, 2).map(({ entryId }) => ({ entryId, status: SUCCESS })) });
    };
    const listTopicSubscriptions: handleUnaryCall<Empty, ListTopicSubscriptionsResponse> = (_, callback) => {
      const bulkSubscribe = { enabled: true, maxMessagesCount: 3, maxAwaitDurationMs: 200 };
      callback(null, {
        subscriptions: [{ pubsubName: 'pubsub', topic: 'orders', metadata: {}, deadLetterTopic: '', bulkSubscribe }],
      });
    };
    const app =
      method === 'stable'
        ? await startGrpcApp({ listTopicSubscriptions, onBulkTopicEvent: bulk })
        : await startGrpcApp({ listTopicSubscriptions }, { onBulkTopicEventAlpha1: bulk });
    const { service } = await pubsubFixture({ app: app.channel, callback: app.callback });
    await service.start();
    return { batches, service };
  };

  it.each(['stable', 'alpha'] as const)('goes to the %s method; entries without a status come again', async (method) => {
    const { batches, service } = await start(method);
    for (const n of [1, 2, 3]) await service.publish(publishing({ n }));
    await eventually(() => expect(batches).toHaveLength(2));
    expect(batches.map(({ entries }) => entries.length)).toEqual([3, 1]);
    const [first, again] = batches;
    expect(first).toMatchObject({ topic: 'orders', pubsubName: 'pubsub', type: 'com.dapr.event.sent.bulk' });
    const dataOf = (batch: TopicEventBulkRequest) =>
      batch.entries.map(({ event }) => (event?.$case === 'cloudEvent' ? JSON.parse(event.value.data.toString()) : undefined));
    expect(dataOf(first!)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(dataOf(again!)).toEqual([{ n: 3 }]);
  });
});
