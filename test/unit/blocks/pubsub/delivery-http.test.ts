import { describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.js';
import type { AppReply } from '../../../support/http-app.js';
import { publishing, pubsubFixture, subscribingApp, subscription } from '../../../support/pubsub-fixture.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** An app whose route /events answers `reply`, and whose dead letters go to /dead. */
async function rig(reply: AppReply | (() => AppReply | Promise<AppReply>), deadLetterTopic = '') {
  const app = await subscribingApp(undefined, ({ url }) =>
    url === '/events' ? (typeof reply === 'function' ? reply() : reply) : {},
  );
  const fixture = await pubsubFixture({ app: app.channel });
  await fixture.source.push('subscription', {
    'default/sub': subscription({ deadLetterTopic }),
    'default/dead': subscription({ topic: 'dead', defaultPath: '/dead' }),
  });
  await fixture.service.start();
  const count = (url: string) => app.events().filter((event) => event.url === url).length;
  return { app, ...fixture, count };
}

describe('an event on its way to an HTTP app', () => {
  it('is a POST of the envelope with the headers of the reference', async () => {
    const { app, service } = await rig({});
    const metadata = { partitionKey: 'k', 'dapr-caller-app-id': 'forged', 'content-length': '1', 'x bad': 'x', nl: 'a\nb' };
    await service.publish(publishing({ n: 1 }, { metadata, trace: { traceparent: TRACE, tracestate: 'v=1' } }));
    await eventually(() => expect(app.events()).toHaveLength(1));
    const [{ method, url, headers, body }] = app.events() as [ReturnType<typeof app.events>[0]];
    expect([method, url]).toEqual(['POST', '/events']);
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      pubsubname: 'pubsub',
      partitionkey: 'k',
      traceparent: TRACE,
      tracestate: 'v=1',
      'content-length': String(Buffer.byteLength(body)),
    });
    expect(headers).not.toHaveProperty('dapr-caller-app-id');
    expect(headers).not.toHaveProperty('nl');
    expect(JSON.parse(body)).toMatchObject({
      data: { n: 1 },
      source: 'app',
      topic: 'orders',
      pubsubname: 'pubsub',
      traceparent: TRACE,
    });
  });

  it('starts a trace of its own when the publisher sent none', async () => {
    const { app, service } = await rig({});
    await service.publish(publishing({}));
    await eventually(() => expect(app.events()).toHaveLength(1));
    const { traceparent, traceid } = JSON.parse(app.events()[0]!.body) as Record<string, string>;
    expect(traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
    expect([traceid, app.events()[0]!.headers.traceparent]).toEqual([traceparent, traceparent]);
  });
});

describe('what the app’s reply makes of an event', () => {
  const json = (body: unknown): AppReply => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

  it.each<[string, AppReply]>([
    ['200 without a body', {}],
    ['204', { status: 204 }],
    ['a body that is not JSON', { body: 'OK' }],
    ['an empty status', json({ status: '' })],
    ['SUCCESS', json({ status: 'SUCCESS' })],
    ['a name in another case', json({ Status: 'SUCCESS' })],
    ['a status that is no text', json({ status: 7 })],
  ])('%s: done', async (_, reply) => {
    const { service, count } = await rig(reply, 'dead');
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBe(1));
    await sleep(120);
    expect([count('/events'), count('/dead')]).toEqual([1, 0]);
  });

  it.each<[string, AppReply]>([
    ['RETRY', json({ status: 'RETRY' })],
    ['an unknown status', json({ status: 'WHATEVER' })],
    ['500', { status: 500 }],
    ['302', { status: 302, headers: { location: '/' } }],
    ['429', { status: 429 }],
  ])('%s: comes again', async (_, reply) => {
    const { service, count } = await rig(reply);
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBeGreaterThan(2));
  });

  it.each<[string, AppReply]>([
    ['RETRY', json({ status: 'RETRY' })],
    ['500', { status: 500 }],
    ['DROP', json({ status: 'DROP' })],
    ['404', { status: 404 }],
  ])('%s, with a dead-letter topic: goes there whole, once', async (_, reply) => {
    const { app, service, count } = await rig(reply, 'dead');
    await service.publish(publishing({ n: 1 }));
    await eventually(() => expect(count('/dead')).toBe(1));
    await sleep(120);
    expect([count('/events'), count('/dead')]).toEqual([1, 1]);
    const [first, dead] = app.events();
    expect(dead!.body).toBe(first!.body);
  });

  it.each<[string, AppReply]>([
    ['DROP', json({ status: 'DROP' })],
    ['404', { status: 404 }],
  ])('%s, without a dead-letter topic: dropped with a line in the log', async (_, reply) => {
    const { service, count, logged } = await rig(reply);
    await service.publish(publishing({}));
    await eventually(() => expect(logged.join()).toMatch(/event dropped/));
    await sleep(120);
    expect(count('/events')).toBe(1);
  });

  it('no reply since nobody listens: comes again and is never dead-lettered', async () => {
    const { app, service, logged } = await rig({}, 'dead');
    await app.close();
    await service.publish(publishing({}));
    await eventually(() => expect(logged.filter((line) => line.startsWith('event not delivered')).length).toBeGreaterThan(3));
    expect(logged.join()).not.toMatch(/dead-letter/);
  });
});

describe('an event that never gets to its route', () => {
  const start = async (change: Parameters<typeof subscription>[0], now?: () => number) => {
    const app = await subscribingApp(undefined);
    const fixture = await pubsubFixture({ app: app.channel, now });
    await fixture.source.push('subscription', {
      'default/sub': subscription(change),
      'default/dead': subscription({ topic: 'dead', defaultPath: '/dead' }),
    });
    await fixture.service.start();
    return { app, ...fixture };
  };

  it('goes to the dead-letter topic when no rule matches', async () => {
    const rules = [{ match: 'event.type == "x"', path: '/x' }];
    const { app, service } = await start({ rules, defaultPath: '', deadLetterTopic: 'dead' });
    await service.publish(publishing({}, { metadata: { 'cloudevent.type': 'x' } }));
    await service.publish(publishing({}, { metadata: { 'cloudevent.type': 'y' } }));
    await eventually(() =>
      expect(
        app
          .events()
          .map(({ url }) => url)
          .sort(),
      ).toEqual(['/dead', '/x']),
    );
  });

  it('goes to the dead-letter topic when it has expired', async () => {
    let now = Date.now();
    const { app, service } = await start({ deadLetterTopic: 'dead' }, () => (now += 10_000));
    await service.publish(publishing({}, { metadata: { ttlInSeconds: '5' } }));
    await service.publish(publishing({}, { metadata: { ttlInSeconds: '500' } }));
    // The dead letter has expired as well: its own subscription drops it.
    await eventually(() => expect(app.events().map(({ url }) => url)).toEqual(['/events']));
  });

  it('goes to the dead-letter topic when it is no CloudEvent', async () => {
    const { service, logged } = await start({ deadLetterTopic: 'dead' });
    await service.publish({ ...publishing({}), data: Buffer.from('plain'), metadata: { rawPayload: 'true' } });
    await eventually(() => expect(logged.join()).toMatch(/sent to the dead-letter topic.*not a CloudEvent/));
  });

  it('is read as raw where the subscription says rawPayload', async () => {
    const { app, service } = await start({ metadata: { rawPayload: 'true' } });
    await service.publish({ ...publishing({}), data: Buffer.from('plain'), metadata: { rawPayload: 'true' } });
    await eventually(() => expect(app.events()).toHaveLength(1));
    expect(JSON.parse(app.events()[0]!.body)).toMatchObject({
      data_base64: 'cGxhaW4=',
      datacontenttype: 'application/octet-stream',
    });
  });
});

describe('stopping', () => {
  it('lets events under way end, and dead-letters nothing that the app could not take any more', async () => {
    let release!: (reply: AppReply) => void;
    const held = new Promise<AppReply>((resolve) => {
      release = resolve;
    });
    let asked = 0;
    const { service, count } = await rig(() => (asked++ === 0 ? held : Promise.resolve({ status: 200 })), 'dead');
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBe(1));
    const stopped = service.stop(3_000);
    await sleep(20);
    release({ status: 503 });
    await stopped;
    await service.start();
    await eventually(() => expect(count('/events')).toBeGreaterThan(1));
    expect(count('/dead')).toBe(0);
  });
});
