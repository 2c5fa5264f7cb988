import { beforeEach, expect, test } from 'vitest';
import { TurnQueue, type TurnQueueOptions } from '../../../../src/blocks/actors/turn-queue.js';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.js';

let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});
const queue = (options: Partial<TurnQueueOptions> = {}) =>
  new TurnQueue({ clock, maxWaiting: 10, maxWaitMs: 1_000, maxStackDepth: 0, ...options });

test('a free actor starts the turn at once, without a promise', () => {
  const turns = queue();
  expect(turns.enter({})).toBeUndefined();
  expect(turns.running).toBe(true);
  turns.leave();
  expect(turns.running).toBe(false);
});

test('turns run one at a time in the order of arrival', async () => {
  const turns = queue();
  const order: number[] = [];
  let running = 0;
  const call = async (number: number) => {
    const wait = turns.enter({});
    if (wait) await wait;
    expect(++running).toBe(1);
    order.push(number);
    await new Promise((resolve) => setTimeout(resolve, number % 3));
    running--;
    turns.leave();
  };
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(call));
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a full queue refuses at once', () => {
  const turns = queue({ maxWaiting: 1 });
  turns.enter({});
  void turns.enter({});
  expect(() => turns.enter({})).toThrow('1 calls wait for this actor already');
});

test('a call that waits too long is refused, and the next one gets the turn', async () => {
  const turns = queue();
  turns.enter({});
  const late = turns.enter({});
  clock.advance(600);
  const patient = turns.enter({});
  clock.advance(600);
  await expect(late).rejects.toThrow('no turn within 1000 ms');
  turns.leave();
  await patient;
  expect(turns.running).toBe(true);
});

test('a caller that has gone while waiting gets no turn', async () => {
  const turns = queue();
  turns.enter({});
  const gone = turns.enter({ gone: () => true });
  const next = turns.enter({});
  turns.leave();
  await expect(gone).rejects.toThrow('the caller has gone');
  await next;
});

test('a call of the running chain enters at once, others wait until the whole chain is over', async () => {
  const turns = queue({ maxStackDepth: 3 });
  turns.enter({ chain: 'a' });
  const other = turns.enter({ chain: 'b' });
  expect(turns.enter({ chain: 'a' })).toBeUndefined();
  turns.leave();
  expect(turns.waiting).toBe(1);
  turns.leave();
  await other;
  expect(turns.enter({ chain: 'b' })).toBeUndefined();
});

test('a chain deeper than allowed is refused', () => {
  const turns = queue({ maxStackDepth: 2 });
  turns.enter({ chain: 'a' });
  turns.enter({ chain: 'a' });
  expect(() => turns.enter({ chain: 'a' })).toThrow('maximum stack depth exceeded');
});

test('without reentrancy the same chain waits like any other call', () => {
  const turns = queue();
  turns.enter({ chain: 'a' });
  expect(turns.enter({ chain: 'a' })).toBeInstanceOf(Promise);
});

test('closing refuses who waits and who comes, and lets the running turn with its nested calls end', async () => {
  const turns = queue({ maxStackDepth: 3 });
  turns.enter({ chain: 'a' });
  const waiting = turns.enter({ chain: 'b' });
  turns.close(new Error('moved'));
  await expect(waiting).rejects.toThrow('moved');
  expect(() => turns.enter({ chain: 'c' })).toThrow('moved');
  const quiet = turns.quiet();
  expect(turns.enter({ chain: 'a' })).toBeUndefined();
  turns.leave();
  expect(turns.running).toBe(true);
  turns.leave();
  await quiet;
});
