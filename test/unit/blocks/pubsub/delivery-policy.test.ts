import { describe, expect, it } from 'vitest';
import { ComponentResiliency } from '../../../../src/gen/weft/config/v1/config.js';
import { eventually } from '../../../support/eventually.js';
import type { AppReply } from '../../../support/http-app.js';
import { publishing, pubsubFixture, subscribingApp, subscription } from '../../../support/pubsub-fixture.js';

/** The inbound policy of a pub/sub component: what the app does not take is tried again before anybody else hears of it. */

async function rig(inbound: object, reply: (attempt: number) => AppReply | Promise<AppReply>, bulk = false) {
  let attempts = 0;
  const app = await subscribingApp(undefined, ({ url }) => (url === '/events' ? reply(++attempts) : {}));
  const fixture = await pubsubFixture({ app: app.channel });
  await fixture.source.push('resiliency', { 'default/pubsub': ComponentResiliency.fromPartial({ inbound }) });
  await fixture.source.push('subscription', {
    'default/sub': subscription({
      deadLetterTopic: 'dead',
      bulkSubscribe: bulk ? { enabled: true, maxMessagesCount: 2, maxAwaitDurationMs: 5000 } : undefined,
    }),
    'default/dead': subscription({ topic: 'dead', defaultPath: '/dead' }),
  });
  await fixture.service.start();
  const count = (url: string) => app.events().filter((event) => event.url === url).length;
  return { app, ...fixture, count };
}

const retry = { name: 'r', maxRetries: 2, intervalMs: 1 };

describe('an event under an inbound policy', () => {
  it('is given to the app again until it takes it', async () => {
    const { service, count, logged } = await rig({ retry }, (attempt) => ({ status: attempt < 3 ? 500 : 200 }));
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBe(3));
    await service.stop(1000);
    expect([count('/dead'), logged]).toEqual([0, []]);
  });

  it('goes to the dead-letter topic once the retries are used up', async () => {
    const { service, count } = await rig({ retry }, () => ({ status: 500 }));
    await service.publish(publishing({}));
    await eventually(() => expect(count('/dead')).toBe(1));
    expect(count('/events')).toBe(3);
  });

  it('is not tried again for what does not match, nor when the app drops it', async () => {
    const matching = { ...retry, httpStatusCodes: [{ from: 500, to: 599 }] };
    const { service, count } = await rig({ retry: matching }, (attempt) => ({ status: attempt === 1 ? 429 : 404 }));
    await service.publish(publishing({ n: 1 }));
    await eventually(() => expect(count('/dead')).toBe(1));
    expect(count('/events')).toBe(1);
    await service.publish(publishing({ n: 2 }));
    await eventually(() => expect(count('/dead')).toBe(2));
    expect(count('/events')).toBe(2);
  });

  it('has its time for each try', async () => {
    const { service, count } = await rig({ retry, timeoutMs: 30 }, (attempt) =>
      attempt === 1 ? new Promise<AppReply>((resolve) => setTimeout(resolve, 5000, {}).unref()) : {},
    );
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBe(2));
    await service.stop(1000);
    expect(count('/dead')).toBe(0);
  });

  it('waits with the broker while the breaker is open, and never ends as a dead letter for it', async () => {
    const circuitBreaker = { name: 'c', maxRequests: 1, timeoutMs: 100, trip: 'consecutiveFailures >= 2' };
    const { service, count, logged } = await rig({ retry: { ...retry, maxRetries: 5 }, circuitBreaker }, (attempt) => ({
      status: attempt <= 2 ? 500 : 200,
    }));
    await service.publish(publishing({}));
    await eventually(() => expect(count('/events')).toBe(3));
    await service.stop(1000);
    expect(count('/dead')).toBe(0);
    expect(logged.join()).toContain('circuit breaker is open');
  });

  it('in bulk is not given again what the app has taken', async () => {
    const bodies: { entries: { entryId: string; event: { data: unknown } }[] }[] = [];
    const { app, service, count } = await rig(
      { retry },
      () => {
        const body = JSON.parse(app.events().at(-1)?.body ?? '') as (typeof bodies)[0];
        bodies.push(body);
        const statuses = body.entries.map(({ entryId }, index) => ({
          entryId,
          status: bodies.length === 1 && index === 1 ? 'RETRY' : 'SUCCESS',
        }));
        return { body: JSON.stringify({ statuses }) };
      },
      true,
    );
    await Promise.all([service.publish(publishing('a')), service.publish(publishing('b'))]);
    await eventually(() => expect(count('/events')).toBe(2));
    expect(bodies.map(({ entries }) => entries.map(({ event }) => event.data))).toEqual([['a', 'b'], ['b']]);
    expect(count('/dead')).toBe(0);
  });
});
