import { expect, it } from 'vitest';
import { followEnvoy } from '../../../../src/agent/envoy/follow.js';
import { type Deferred, deferred } from '../../../../src/lib/async.js';
import { createFakeClock } from '../../../support/fake-clock.js';

/** An Envoy whose listeners serve and whose admin interface answers when the test says so. */
function createRig(again = false) {
  const clock = createFakeClock();
  const stop = new AbortController();
  const told: string[] = [];
  let alive = true;
  let serves: Deferred<void> = deferred();
  const answers = (ms: number) => {
    if (alive) return Promise.resolve(true);
    return new Promise<boolean>((resolve) => clock.after(ms, () => resolve(false)));
  };
  const envoy = { admin: { answers } as never, replace: () => void told.push('killed') };
  const followed = followEnvoy(envoy, {
    again,
    untilServes(signal) {
      serves = deferred();
      signal.addEventListener('abort', () => serves.resolve());
      return serves.promise;
    },
    onServes: () => void told.push('serves'),
    onSilent: () => void told.push('silent'),
    onReplace: () => void told.push('replace'),
    clock,
    signal: stop.signal,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    told,
    async serve() {
      serves.resolve();
      await settle();
    },
    be(now: boolean) {
      alive = now;
    },
    async pass(ms: number) {
      for (let i = 0; i < ms; i += 100) {
        clock.advance(100);
        await settle();
      }
    },
    async end() {
      stop.abort();
      await followed;
    },
  };
}

it('tells of an Envoy that has not answered for three to four seconds, and of its return', async () => {
  const { told, serve, be, pass, end } = createRig();
  await serve();
  await pass(10_000);
  expect(told).toEqual(['serves']);
  be(false);
  await pass(2_800);
  expect(told).toEqual(['serves']);
  await pass(1_400);
  expect(told).toEqual(['serves', 'silent']);
  be(true);
  await serve();
  await pass(60_000);
  expect(told).toEqual(['serves', 'silent', 'serves']);
  await end();
});

it('takes one unanswered question for nothing: this process may itself have slept', async () => {
  const { told, serve, be, pass, end } = createRig();
  await serve();
  be(false);
  await pass(2_000);
  be(true);
  await pass(10_000);
  expect(told).toEqual(['serves']);
  await end();
});

it('kills one that stays silent for thirty seconds more, not one that answers but does not serve yet', async () => {
  const { told, serve, be, pass, end } = createRig();
  await serve();
  be(false);
  await pass(5_000);
  be(true);
  await pass(40_000);
  expect(told).toEqual(['serves', 'silent']);
  be(false);
  await pass(34_000);
  expect(told).toEqual(['serves', 'silent', 'replace', 'killed']);
  await end();
});

it('tells of the next Envoy when that one does not serve within three seconds', async () => {
  const { told, serve, pass, end } = createRig(true);
  await pass(2_900);
  expect(told).toEqual([]);
  await pass(200);
  expect(told).toEqual(['silent']);
  await serve();
  expect(told).toEqual(['silent', 'serves']);
  await end();
});

it.each([
  ['a first Envoy', false, ['replace', 'killed']],
  ['the next Envoy', true, ['silent', 'replace', 'killed']],
])('kills %s that stops before it serves', async (_which, again, expected) => {
  const { told, be, pass, end } = createRig(again);
  be(false);
  await pass(34_000);
  expect(told).toEqual(expected);
  await end();
});

it('gives one that came to serve just when it was asked the whole time when it falls silent later', async () => {
  const { told, serve, be, pass, end } = createRig();
  be(false);
  await pass(31_000);
  await serve();
  be(true);
  await pass(26_000);
  be(false);
  await pass(10_000);
  expect(told).toEqual(['serves', 'silent']);
  await end();
});

it('says nothing of a first Envoy that takes its time, and nothing after the end', async () => {
  const { told, serve, pass, end } = createRig();
  await pass(70_000);
  await end();
  await serve();
  await pass(40_000);
  expect(told).toEqual([]);
});
