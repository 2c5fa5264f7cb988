import { describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.js';
import type { AppReply } from '../../../support/http-app.js';
import { publishing, pubsubFixture, subscribingApp } from '../../../support/pubsub-fixture.js';

interface Bulk {
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly pubsubname: string;
  readonly metadata: Record<string, string>;
  readonly entries: readonly {
    readonly entryId: string;
    readonly event: { data: unknown; type: string };
    readonly contentType: string;
  }[];
}

async function rig(answer: (bulk: Bulk) => AppReply, change: Record<string, unknown> = {}) {
  const bulkSubscribe = { enabled: true, maxMessagesCount: 3, maxAwaitDurationMs: 150 };
  const app = await subscribingApp(
    [
      { pubsubname: 'pubsub', topic: 'orders', route: '/bulk', bulkSubscribe, ...change },
      { pubsubname: 'pubsub', topic: 'dead', route: '/dead' },
    ],
    ({ url, body }) => (url === '/dead' ? {} : answer(JSON.parse(body) as Bulk)),
  );
  const { service } = await pubsubFixture({ app: app.channel });
  await service.start();
  const bulks = (url = '/bulk') =>
    app
      .events()
      .filter((event) => event.url === url)
      .map(({ body }) => JSON.parse(body) as Bulk);
  return { app, service, bulks };
}

const statuses = (bulk: Bulk, ...list: (string | undefined)[]): AppReply => ({
  body: JSON.stringify({ statuses: bulk.entries.map(({ entryId }, index) => ({ entryId, status: list[index] })) }),
});
const allDone = (bulk: Bulk) => statuses(bulk, ...bulk.entries.map(() => 'SUCCESS'));

describe('bulk subscription of an HTTP app', () => {
  it('goes out full at once, and with what there is when the time is over', async () => {
    const { app, service, bulks } = await rig(allDone);
    for (const n of [1, 2, 3, 4]) await service.publish(publishing({ n }));
    await eventually(() => expect(bulks()).toHaveLength(2));
    const [full, rest] = bulks();
    expect(full!.entries.map(({ event }) => event.data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(rest!.entries.map(({ event }) => event.data)).toEqual([{ n: 4 }]);
    expect(full).toMatchObject({
      type: 'com.dapr.event.sent.bulk',
      topic: 'orders',
      pubsubname: 'pubsub',
      metadata: { pubsubName: 'pubsub' },
    });
    expect(full!.entries[0]!.contentType).toBe('application/cloudevents+json');
    expect(new Set(full!.entries.map(({ entryId }) => entryId)).size).toBe(3);
    expect(app.events()[0]!.headers['content-type']).toBe('application/json');
  });

  it('settles each entry by its own status: what is not said to be done comes again', async () => {
    let first = true;
    const { service, bulks } = await rig((bulk) => {
      if (!first) return allDone(bulk);
      first = false;
      return statuses(bulk, 'SUCCESS', undefined, 'RETRY');
    });
    for (const n of [1, 2, 3]) await service.publish(publishing({ n }));
    const again = () =>
      bulks()
        .slice(1)
        .flatMap(({ entries }) => entries.map(({ event }) => (event.data as { n: number }).n));
    await eventually(() => expect(again().sort()).toEqual([2, 3]));
  });

  it.each<[string, AppReply]>([
    ['a body that cannot be read', { body: 'OK' }],
    ['500', { status: 500 }],
  ])('takes %s as RETRY for all', async (_, reply) => {
    const { service, bulks } = await rig(() => reply);
    await service.publish(publishing({ n: 1 }));
    await eventually(() => expect(bulks().length).toBeGreaterThan(1));
  });

  it('dead-letters dropped and failed entries', async () => {
    const { app, service } = await rig((bulk) => statuses(bulk, 'SUCCESS', 'DROP', 'RETRY'), { deadLetterTopic: 'dead' });
    for (const n of [1, 2, 3]) await service.publish(publishing({ n }));
    const dead = () =>
      app
        .events()
        .filter(({ url }) => url === '/dead')
        .map(({ body }) => (JSON.parse(body) as { data: { n: number } }).data.n);
    await eventually(() => expect(dead().sort()).toEqual([2, 3]));
  });

  it('keeps routes apart', async () => {
    const routes = { rules: [{ match: 'event.type == "x"', path: '/x' }], default: '/bulk' };
    const { service, bulks } = await rig(allDone, { route: undefined, routes });
    for (const type of ['x', 'y', 'x']) await service.publish(publishing({}, { metadata: { 'cloudevent.type': type } }));
    await eventually(() => expect([bulks('/x').length, bulks('/bulk').length]).toEqual([1, 1]));
    expect([bulks('/x')[0]!.entries.length, bulks('/bulk')[0]!.entries.length]).toEqual([2, 1]);
  });

  it('sends raw payloads as base64', async () => {
    const { service, bulks } = await rig(allDone, { metadata: { rawPayload: 'true' } });
    await service.publish({ ...publishing({}), data: Buffer.from('hi'), contentType: '', metadata: { rawPayload: 'true' } });
    await eventually(() => expect(bulks()).toHaveLength(1));
    expect(bulks()[0]!.entries[0]).toMatchObject({ event: 'aGk=', contentType: 'application/octet-stream' });
  });
});
