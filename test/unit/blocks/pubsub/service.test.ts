import { describe, expect, it } from 'vitest';
import { component } from '../../../support/config-source.js';
import { eventually } from '../../../support/eventually.js';
import { publishing, pubsubFixture, QUICK, subscribingApp, subscription } from '../../../support/pubsub-fixture.js';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const memory = (metadata: Record<string, string> = {}, name = 'pubsub') =>
  component(name, 'pubsub.in-memory', { ...QUICK, ...metadata });

describe('which subscriptions are in force', () => {
  it('are the app’s own, in all of their forms', async () => {
    const app = await subscribingApp([
      { pubsubname: 'pubsub', topic: 'one', route: 'one', metadata: { n: 1 } },
      { pubsubName: 'pubsub', topic: 'two', routes: { rules: [{ match: 'event.type == "x"', path: '/x' }], default: '/two' } },
      { pubsubname: 'pubsub', topic: 'none' },
      { pubsubname: 'nowhere', topic: 't', route: '/t' },
    ]);
    const { service, logged } = await pubsubFixture({ app: app.channel });
    expect(service.subscriptions()).toEqual([]);
    await service.start();
    expect(service.subscriptions()).toEqual([
      {
        pubsubname: 'pubsub',
        topic: 'one',
        metadata: { n: '1' },
        rules: [{ match: '', path: 'one' }],
        deadLetterTopic: '',
        type: 'PROGRAMMATIC',
      },
      {
        pubsubname: 'pubsub',
        topic: 'two',
        metadata: {},
        rules: [
          { match: 'event.type == "x"', path: '/x' },
          { match: '', path: '/two' },
        ],
        deadLetterTopic: '',
        type: 'PROGRAMMATIC',
      },
    ]);
    expect(logged.join()).toMatch(/none names no route.*pub\/sub component that is not there/);
    expect(app.seen[0]?.headers['dapr-app-id']).toBe('app');
    await service.publish(publishing({}, { topic: 'one' }));
    await service.publish(publishing({}, { topic: 'two', metadata: { 'cloudevent.type': 'x' } }));
    await eventually(() =>
      expect(
        app
          .events()
          .map(({ url }) => url)
          .sort(),
      ).toEqual(['/one', '/x']),
    );
  });

  it('are the first declarative one of a topic, unless the app names one', async () => {
    const app = await subscribingApp([{ pubsubname: 'pubsub', topic: 'both', route: '/own' }]);
    const { service, source } = await pubsubFixture({ app: app.channel });
    await source.push('subscription', {
      'default/a': subscription({ defaultPath: '/first' }),
      'default/b': subscription({ defaultPath: '/second' }),
      'default/c': subscription({ topic: 'both', defaultPath: '/declared' }),
      'default/d': subscription({ topic: 'scoped', scopes: ['other'] }),
      'default/e': subscription({ topic: 'mine', scopes: ['other', 'app'] }),
    });
    await service.start();
    expect(service.subscriptions().map(({ topic, type, rules }) => [topic, type, rules[0]?.path])).toEqual([
      ['orders', 'DECLARATIVE', '/first'],
      ['both', 'PROGRAMMATIC', '/own'],
      ['mine', 'DECLARATIVE', '/events'],
    ]);
  });

  it('leave out topics that the app may not read', async () => {
    const app = await subscribingApp([{ pubsubname: 'pubsub', topic: 'secret', route: '/s' }]);
    const components = { 'default/pubsub': memory({ protectedTopics: 'secret' }) };
    const { service, logged } = await pubsubFixture({ app: app.channel, components });
    await service.start();
    expect(service.subscriptions()).toEqual([]);
    expect(logged.join()).toMatch(/may not read/);
  });

  it('come once the app answers at last', async () => {
    let calls = 0;
    const list = JSON.stringify([{ pubsubname: 'pubsub', topic: 't', route: '/t' }]);
    const app = await subscribingApp(undefined);
    const http = { ...(app.channel as Extract<typeof app.channel, { kind: 'http' }>).http };
    http.request = async () => {
      if (++calls < 3) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      return { status: 200, headers: {}, body: Buffer.from(list) };
    };
    const { service } = await pubsubFixture({ app: { kind: 'http', http } });
    await service.start();
    expect([calls, service.subscriptions().length]).toEqual([3, 1]);
  });

  it('come when the app was stopped while it was asked and answers the next question only', async () => {
    const list = JSON.stringify([{ pubsubname: 'pubsub', topic: 't', route: '/t' }]);
    const app = await subscribingApp(undefined);
    const http = { ...(app.channel as Extract<typeof app.channel, { kind: 'http' }>).http };
    let calls = 0;
    let answerFirst = () => {};
    http.request = () => {
      calls += 1;
      const reply = { status: 200, headers: {}, body: Buffer.from(list) };
      return calls > 1
        ? Promise.resolve(reply)
        : new Promise((resolve) => (answerFirst = () => resolve({ ...reply, status: 404 })));
    };
    const { service } = await pubsubFixture({ app: { kind: 'http', http } });
    const first = service.start();
    await eventually(() => expect(calls).toBe(1));
    await service.stop(0);
    await service.start();
    answerFirst();
    await first;
    expect(service.subscriptions().map(({ topic }) => topic)).toEqual(['t']);
  });

  it.each([502, 503, 504])('are asked for again when the app says %d, which means that it is not up yet', async (status) => {
    const list = JSON.stringify([{ pubsubname: 'pubsub', topic: 't', route: '/t' }]);
    const app = await subscribingApp(undefined);
    const http = { ...(app.channel as Extract<typeof app.channel, { kind: 'http' }>).http };
    let calls = 0;
    http.request = async () => ({ status: ++calls < 3 ? status : 200, headers: {}, body: Buffer.from(list) });
    const { service } = await pubsubFixture({ app: { kind: 'http', http } });
    await service.start();
    expect([calls, service.subscriptions().length]).toEqual([3, 1]);
  });

  it.each(['pubsub.in-memory', 'pubsub.sqlite'])(
    'lose nothing that is published once start has said so, however it raced: %s',
    async (type) => {
      const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      const rounds = Array.from({ length: 24 }, async (_, round) => {
        const app = await subscribingApp([{ pubsubname: 'late', topic: 'orders', route: '/t' }]);
        const slow = { ...(app.channel as Extract<typeof app.channel, { kind: 'http' }>).http };
        const { request } = slow;
        slow.request = async (call) => {
          if (call.path === '/dapr/subscribe') await pause((round % 4) * 7);
          return request(call);
        };
        const { service, source } = await pubsubFixture({ app: { kind: 'http', http: slow }, components: {} });
        const load = source.push('component', { 'default/late': component('late', type) });
        const subscribe = source.push('subscription', { 'default/sub': subscription({ pubsubName: 'late', topic: 'other' }) });
        await pause((round % 3) * 3);
        if (round % 2 === 0) await load;
        const first = service.start();
        if (round % 3 === 0) {
          await pause(round % 5);
          await service.stop(50);
        }
        await Promise.all([load, subscribe, first]);
        await service.start();
        await eventually(() => expect(service.subscriptions()).toHaveLength(2));
        await pause(0);
        await service.publish(publishing({ round }, { pubsubName: 'late' }));
        await eventually(() => expect(app.events()).toHaveLength(1));
      });
      await Promise.all(rounds);
    },
    20_000,
  );

  it('are none before start and after stop, and the app is asked anew by the next start', async () => {
    const app = await subscribingApp([{ pubsubname: 'pubsub', topic: 'orders', route: '/t' }]);
    const { service } = await pubsubFixture({ app: app.channel });
    await service.start();
    await service.stop(100);
    expect(service.subscriptions()).toEqual([]);
    await service.publish(publishing({}));
    await sleep(60);
    expect(app.events()).toEqual([]);
    await service.start();
    // What came meanwhile was kept for the group.
    await eventually(() => expect(app.events()).toHaveLength(1));
    expect(app.seen.filter(({ url }) => url === '/dapr/subscribe')).toHaveLength(2);
  });
});

describe('a change of resources while running', () => {
  it('touches only the subscription that changed', async () => {
    const app = await subscribingApp(undefined);
    const { service, source } = await pubsubFixture({ app: app.channel });
    await source.push('subscription', {
      'default/a': subscription(),
      'default/b': subscription({ topic: 'other', defaultPath: '/b' }),
    });
    await service.start();
    // A handler under way shows that its subscription was not stopped: stopping would wait for it.
    await source.push('subscription', { 'default/b': subscription({ topic: 'other', defaultPath: '/b2' }) });
    await source.push('subscription', { 'default/a': subscription({ source: 'moved.yaml' }) });
    await service.publish(publishing({}, { topic: 'other' }));
    await service.publish(publishing({}));
    await eventually(() =>
      expect(
        app
          .events()
          .map(({ url }) => url)
          .sort(),
      ).toEqual(['/b2', '/events']),
    );
    await source.push('subscription', {}, ['default/a']);
    expect(service.subscriptions().map(({ topic }) => topic)).toEqual(['other']);
  });

  it('refuses a rule that is not CEL by name and place, and keeps what was in force', async () => {
    const app = await subscribingApp(undefined);
    const { service, source } = await pubsubFixture({ app: app.channel });
    await source.push('subscription', { 'default/a': subscription() });
    await service.start();
    const bad = subscription({ rules: [{ match: 'event.type ==', path: '/x' }] });
    await expect(source.push('subscription', { 'default/a': bad })).rejects.toThrow(
      /^subscription sub \(resources\/subscription.yaml\): rule 'event.type ==' is not valid CEL/,
    );
    await service.publish(publishing({}));
    await eventually(() => expect(app.events().map(({ url }) => url)).toEqual(['/events']));
  });

  it('moves subscriptions over to a replaced component', async () => {
    const app = await subscribingApp(undefined);
    const { service, source } = await pubsubFixture({ app: app.channel });
    await source.push('subscription', { 'default/a': subscription() });
    await service.start();
    await source.push('component', { 'default/pubsub': memory({ maxLength: '7' }) });
    await service.publish(publishing({}));
    await eventually(() => expect(app.events()).toHaveLength(1));
  });

  it('asks the app when the first component appears', async () => {
    const app = await subscribingApp([{ pubsubname: 'late', topic: 'orders', route: '/t' }]);
    const { service, source } = await pubsubFixture({ app: app.channel, components: {} });
    await service.start();
    expect(app.seen).toEqual([]);
    await source.push('component', { 'default/late': memory({}, 'late') });
    await eventually(() => expect(service.subscriptions()).toHaveLength(1));
  });
});

describe('publishing', () => {
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('published'),
      (error: { code: string; message: string }) => [error.code, error.message],
    );

  it('says what is wrong first', async () => {
    const components = { 'default/pubsub': memory({ publishingScopes: 'app=open', maxLength: '1' }) };
    const { service } = await pubsubFixture({ components });
    const publish = (change: Parameters<typeof publishing>[1]) => failure(service.publish(publishing({}, change)));
    expect(await publish({ pubsubName: 'nope' })).toEqual(['pubsubNotFound', 'pubsub nope is not found']);
    expect(await publish({ pubsubName: '' })).toEqual(['pubsubNameEmpty', 'pubsub name is empty']);
    expect(await publish({ topic: '' })).toEqual(['topicNameEmpty', 'topic is empty in pubsub pubsub']);
    expect(await publish({ metadata: { ttlInSeconds: 'x' } })).toEqual([
      'pubsubRequestMetadata',
      expect.stringMatching(/ttlInSeconds/),
    ]);
    expect((await publish({ contentType: 'application/cloudevents+json', data: Buffer.from('[]') }))[0]).toBe(
      'pubsubCloudEventCreation',
    );
    expect(await publish({ topic: 'closed' })).toEqual(['pubsubForbidden', 'topic closed is not allowed for app id app']);
    await service.publish(publishing({}, { topic: 'open' }));
  });

  it('says when there is no component at all', async () => {
    const { service } = await pubsubFixture({ components: {} });
    expect((await failure(service.publish(publishing({}))))[0]).toBe('pubsubNotConfigured');
  });

  it('names the entries of a bulk that failed, and refuses ids that are empty or come twice', async () => {
    const app = await subscribingApp(undefined, () => new Promise(() => {}));
    const { service, source } = await pubsubFixture({
      app: app.channel,
      components: { 'default/pubsub': memory({ maxLength: '2' }) },
    });
    await source.push('subscription', { 'default/a': subscription() });
    await service.start();
    const entry = (entryId: string) => ({ entryId, data: Buffer.from('1'), contentType: 'text/plain' });
    const bulk = (...ids: string[]) =>
      service.bulkPublish({ pubsubName: 'pubsub', topic: 'orders', metadata: {}, trace: {}, entries: ids.map(entry) });
    expect((await bulk('a', 'b', 'c')).map(({ entryId }) => entryId)).toEqual(['c']);
    expect((await failure(bulk('a', 'a')))[0]).toBe('pubsubMarshalEvents');
    expect((await failure(bulk('')))[0]).toBe('pubsubMarshalEvents');
  });

  it('puts the namespace before topics where a component asks for it', async () => {
    const app = await subscribingApp([{ pubsubname: 'pubsub', topic: 'orders', route: '/t' }]);
    const components = { 'default/pubsub': memory({ consumerID: '{namespace}' }) };
    const { service } = await pubsubFixture({ app: app.channel, components, namespace: 'prod' });
    await service.start();
    await service.publish(publishing({}));
    await eventually(() => expect(app.events()).toHaveLength(1));
    expect(JSON.parse(app.events()[0]!.body)).toMatchObject({ topic: 'orders' });
  });
});
