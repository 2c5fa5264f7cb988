import type { AddressInfo } from 'node:net';
import { CommunicationProtocolEnum, DaprClient, DaprServer } from '@dapr/dapr';
import { type ClientDuplexStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pubsubMethods } from '../../../src/api/grpc/pubsub.js';
import { createGrpcServer } from '../../../src/api/grpc/server.js';
import { pubsubRoutes } from '../../../src/api/http/pubsub.js';
import { createHttpServer } from '../../../src/api/http/server.js';
import { createHttpChannel } from '../../../src/blocks/app/http-channel.js';
import { DaprClient as GrpcClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import type {
  SubscribeTopicEventsRequestAlpha1,
  SubscribeTopicEventsResponseAlpha1,
} from '../../../src/gen/dapr/proto/runtime/v1/pubsub.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { component } from '../../support/config-source.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';
import { pubsubFixture, QUICK } from '../../support/pubsub-fixture.js';

type Stream = ClientDuplexStream<SubscribeTopicEventsRequestAlpha1, SubscribeTopicEventsResponseAlpha1>;

describe('the pub/sub API on real servers', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  let appPort: number;
  let httpPort: number;
  let grpcPort: number;
  let service: Awaited<ReturnType<typeof pubsubFixture>>['service'];
  beforeEach(async () => {
    appPort = await freePort();
    grpcPort = await freePort();
    const http = createHttpChannel({ origin: `http://127.0.0.1:${appPort}` });
    cleanups.push(() => http.close());
    ({ service } = await pubsubFixture({
      app: { kind: 'http', http },
      components: {
        'default/pubsub': component('pubsub', 'pubsub.in-memory', QUICK),
        'default/lite': component('lite', 'pubsub.sqlite', { ...QUICK, publishingScopes: 'app=orders' }),
      },
    }));
    const common = { maxBodyBytes: 4 * 1024 * 1024, logger: silentLogger };
    const api = await createHttpServer({
      ...common,
      routes: pubsubRoutes(service),
      // What else the SDK asks of a sidecar before it starts.
      fallback: (_, reply) => void reply.send({ id: 'app' }),
    });
    const grpc = createGrpcServer({ ...common, methods: [pubsubMethods(service)] });
    await Promise.all([api.listen({ host: '127.0.0.1', port: 0 }), grpc.listen(`127.0.0.1:${grpcPort}`)]);
    httpPort = (api.server.address() as AddressInfo).port;
    cleanups.push(() => Promise.all([api.close(100), grpc.close(100)]));
  });
  const url = (path: string) => `http://127.0.0.1:${httpPort}${path}`;

  it('serves the official SDK: publish, bulk publish, subscribe, with declared routes', async () => {
    const daprPort = String(httpPort);
    const server = new DaprServer({
      serverHost: '127.0.0.1',
      serverPort: String(appPort),
      clientOptions: { daprHost: '127.0.0.1', daprPort },
      logger: { level: 0 },
    });
    const got: unknown[] = [];
    await server.pubsub.subscribe('pubsub', 'orders', async (data) => void got.push(data));
    await server.pubsub.subscribe('lite', 'orders', async (data) => void got.push(['lite', data]));
    await server.start();
    cleanups.push(() => server.stop());
    await service.start();
    const client = new DaprClient({ daprHost: '127.0.0.1', daprPort, communicationProtocol: CommunicationProtocolEnum.HTTP });
    cleanups.push(() => client.stop());
    expect(await client.pubsub.publish('pubsub', 'orders', { n: 1 })).toEqual({});
    expect(await client.pubsub.publish('lite', 'orders', { n: 2 })).toEqual({});
    expect(await client.pubsub.publish('pubsub', 'orders', 'text')).toEqual({});
    expect(await client.pubsub.publishBulk('pubsub', 'orders', [{ n: 3 }, { event: 'four', contentType: 'text/plain' }])).toEqual(
      {
        failedMessages: [],
      },
    );
    const expected = [{ n: 1 }, ['lite', { n: 2 }], 'text', { n: 3 }, 'four'].map((item) => JSON.stringify(item)).sort();
    await eventually(() => expect(got.map((item) => JSON.stringify(item)).sort()).toEqual(expected));
    const refused = await client.pubsub.publish('lite', 'forbidden', {});
    expect(refused.error?.message).toMatch(/ERR_PUBSUB_FORBIDDEN/);
  }, 60_000);

  it('answers 204, PUT too, and takes a topic with slashes', async () => {
    for (const method of ['POST', 'PUT']) {
      const reply = await fetch(url('/v1.0/publish/pubsub/a/b/c?metadata.ttlInSeconds=60'), { method, body: 'x' });
      expect([reply.status, await reply.text()]).toEqual([204, '']);
    }
  });

  it.each([
    ['/v1.0/publish/nope/t', 404, 'ERR_PUBSUB_NOT_FOUND', 'DAPR_PUBSUB_NOT_FOUND'],
    ['/v1.0/publish/pubsub/', 404, 'ERR_TOPIC_NAME_EMPTY', 'DAPR_PUBSUB_TOPIC_NAME_EMPTY'],
    [
      '/v1.0/publish/pubsub/t?metadata.ttlInSeconds=x',
      400,
      'ERR_PUBSUB_REQUEST_METADATA',
      'DAPR_PUBSUB_METADATA_DESERIALIZATION',
    ],
    ['/v1.0/publish/lite/closed', 403, 'ERR_PUBSUB_FORBIDDEN', 'DAPR_PUBSUB_FORBIDDEN'],
    ['/v1.0/publish/bulk/pubsub/t', 400, 'ERR_PUBSUB_EVENTS_SER', 'DAPR_PUBSUB_UNMARSHAL_EVENTS'],
  ])('answers POST %s with %i %s', async (path, code, errorCode, reason) => {
    const reply = await fetch(url(path), { method: 'POST', body: '{}' });
    const body = (await reply.json()) as { errorCode: string; details: { reason?: string }[] };
    expect([reply.status, body.errorCode]).toEqual([code, errorCode]);
    expect(body.details.map((detail) => detail.reason)).toContain(reason);
  });

  it.each([
    ['[{"entryId":"1","event":{"a":1},"contentType":"application/json"}]', 204],
    [
      '[{"entryID":"1","event":"eA==","contentType":"application/octet-stream"},{"entryID":"2","event":"t","contentType":"text/plain"}]',
      204,
    ],
    ['[]', 204],
    ['[{"entryId":"1","event":"t","contentType":"text/plain"},{"entryId":"1","event":"t","contentType":"text/plain"}]', 400],
    ['[{"event":"t","contentType":"text/plain"}]', 400],
    ['[{"entryId":"1","event":7,"contentType":"text/plain"}]', 400],
    ['[{"entryId":"1","event":"no base64!","contentType":"application/octet-stream"}]', 400],
    ['[7]', 400],
  ])('answers the bulk %s with %i', async (body, code) => {
    for (const version of ['v1.0', 'v1.0-alpha1']) {
      expect((await fetch(url(`/${version}/publish/bulk/pubsub/a/b`), { method: 'POST', body })).status).toBe(code);
    }
  });

  describe('over gRPC', () => {
    let client: GrpcClient;
    beforeEach(() => {
      client = new GrpcClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
      cleanups.push(() => client.close());
    });
    const event = {
      pubsubName: 'pubsub',
      topic: 'orders',
      data: Buffer.from('{"n":1}'),
      dataContentType: 'application/json',
      metadata: {},
    };
    const publish = (change: Partial<typeof event> = {}) =>
      new Promise<void>((resolve, reject) => {
        client.publishEvent({ ...event, ...change }, (error) => (error ? reject(error) : resolve()));
      });
    const open = (
      deadLetterTopic?: string,
    ): { stream: Stream; got: SubscribeTopicEventsResponseAlpha1[]; errors: ServiceError[] } => {
      const stream = client.subscribeTopicEventsAlpha1();
      const got: SubscribeTopicEventsResponseAlpha1[] = [];
      const errors: ServiceError[] = [];
      stream.on('data', (message) => got.push(message));
      stream.on('error', (error: ServiceError) => errors.push(error));
      stream.write({
        subscribeTopicEventsRequestType: {
          $case: 'initialRequest',
          value: { pubsubName: 'pubsub', topic: 'orders', metadata: {}, deadLetterTopic },
        },
      });
      cleanups.push(() => stream.cancel());
      return { stream, got, errors };
    };
    const answer = (stream: Stream, id: string, outcome: number) =>
      stream.write({ subscribeTopicEventsRequestType: { $case: 'eventProcessed', value: { id, status: { status: outcome } } } });
    const eventsOf = (got: readonly SubscribeTopicEventsResponseAlpha1[]) =>
      got.flatMap(({ subscribeTopicEventsResponseType: type }) => (type?.$case === 'eventMessage' ? [type.value] : []));

    it('refuses with the codes of the reference', async () => {
      await expect(publish({ pubsubName: 'nope' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
      await expect(publish({ pubsubName: 'lite', topic: 'closed' })).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
      await expect(publish()).resolves.toBeUndefined();
    });

    it('publishes in bulk', async () => {
      const { got } = open();
      await eventually(() => expect(got).toHaveLength(1));
      const entries = ['1', '2'].map((entryId) => ({
        entryId,
        event: Buffer.from(entryId),
        contentType: 'text/plain',
        metadata: {},
      }));
      for (const method of ['bulkPublishEvent', 'bulkPublishEventAlpha1'] as const) {
        const reply = await new Promise((resolve, reject) => {
          client[method]({ pubsubName: 'pubsub', topic: 'orders', entries, metadata: {} }, (error, value) =>
            error ? reject(error) : resolve(value),
          );
        });
        expect(reply).toEqual({ failedEntries: [] });
      }
      await eventually(() => expect(eventsOf(got).map(({ data }) => data.toString())).toEqual(['1', '2', '1', '2']));
    });

    it('streams events: the first answer, then each event until it is answered', async () => {
      const { stream, got } = open();
      await eventually(() => expect(got).toHaveLength(1));
      expect(got[0]?.subscribeTopicEventsResponseType?.$case).toBe('initialResponse');
      expect(service.subscriptions()).toMatchObject([{ topic: 'orders', type: 'STREAMING', rules: [{ match: '', path: '/' }] }]);
      await publish();
      await eventually(() => expect(eventsOf(got)).toHaveLength(1));
      const [first] = eventsOf(got);
      expect(first).toMatchObject({
        topic: 'orders',
        pubsubName: 'pubsub',
        path: '/',
        source: 'app',
        dataContentType: 'application/json',
      });
      answer(stream, first!.id, 1);
      await eventually(() => expect(eventsOf(got)).toHaveLength(2));
      expect(eventsOf(got)[1]!.id).toBe(first!.id);
      answer(stream, first!.id, 0);
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(eventsOf(got)).toHaveLength(2);
    });

    it('gives what a client leaves unanswered to the next one, and dead-letters what it drops', async () => {
      const first = open();
      await eventually(() => expect(first.got).toHaveLength(1));
      await publish();
      await eventually(() => expect(eventsOf(first.got)).toHaveLength(1));
      first.stream.cancel();
      await eventually(() => expect(service.subscriptions()).toEqual([]));
      const dead = client.subscribeTopicEventsAlpha1();
      const letters: SubscribeTopicEventsResponseAlpha1[] = [];
      dead.on('data', (message) => letters.push(message)).on('error', () => {});
      cleanups.push(() => dead.cancel());
      dead.write({
        subscribeTopicEventsRequestType: {
          $case: 'initialRequest',
          value: { pubsubName: 'pubsub', topic: 'dead', metadata: {} },
        },
      });
      await eventually(() => expect(letters).toHaveLength(1));
      const second = open('dead');
      await eventually(() => expect(eventsOf(second.got)).toHaveLength(1));
      answer(second.stream, eventsOf(second.got)[0]!.id, 2);
      await eventually(() => expect(eventsOf(letters).map(({ id }) => id)).toEqual([eventsOf(second.got)[0]!.id]));
    });

    it('refuses a stream whose first message does not say what it is for', async () => {
      const errorOf = async (write: (stream: Stream) => void) => {
        const stream = client.subscribeTopicEventsAlpha1();
        stream.on('data', () => {});
        const failed = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
        write(stream);
        const { code, details } = await failed;
        return [code, details];
      };
      const initial = (pubsubName: string, topic: string) => (stream: Stream) =>
        stream.write({
          subscribeTopicEventsRequestType: { $case: 'initialRequest', value: { pubsubName, topic, metadata: {} } },
        });
      expect(await errorOf((stream) => answer(stream, 'x', 0))).toEqual([status.INVALID_ARGUMENT, 'initial request is required']);
      expect(await errorOf(initial('', 't'))).toEqual([status.INVALID_ARGUMENT, 'pubsubName is required']);
      expect(await errorOf(initial('pubsub', ''))).toEqual([status.INVALID_ARGUMENT, 'topic is required']);
      expect(await errorOf(initial('nope', 't'))).toEqual([status.INVALID_ARGUMENT, 'pubsub nope is not found']);
    });
  });
});
