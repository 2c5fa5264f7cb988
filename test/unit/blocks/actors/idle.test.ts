import { expect, test } from 'vitest';
import { createExpiryQueue } from '../../../../src/blocks/actors/idle.js';
import { createFakeClock } from '../../../support/fake-clock.js';

test('items expire in the order of their times, whatever the order they came in', () => {
  const clock = createFakeClock();
  const expired: number[] = [];
  const queue = createExpiryQueue<number>(clock, (item) => void expired.push(item));
  const times = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1_009);
  for (const time of times) queue.add(time, time);
  clock.advance(500);
  expect(expired).toEqual([...times].sort((a, b) => a - b).filter((time) => time <= 500));
  clock.advance(600);
  expect(expired).toEqual([...times].sort((a, b) => a - b));
  expect(queue.size).toBe(0);
});

test('a later time given back keeps the item until then', () => {
  const clock = createFakeClock();
  let usedAt = 0;
  const expired: number[] = [];
  const queue = createExpiryQueue<string>(clock, () => {
    if (usedAt + 100 > clock.now()) return usedAt + 100;
    expired.push(clock.now());
    return undefined;
  });
  queue.add('a', 100);
  clock.advance(90);
  usedAt = clock.now();
  clock.advance(99);
  expect(expired).toEqual([]);
  clock.advance(1);
  expect(expired).toEqual([190]);
});

test('a cancelled item never expires, the others still do', () => {
  const clock = createFakeClock();
  const expired: string[] = [];
  const queue = createExpiryQueue<string>(clock, (item) => void expired.push(item));
  const entries = ['a', 'b', 'c', 'd', 'e'].map((item, i) => queue.add(item, 10 * (i + 1)));
  entries[0]?.cancel();
  entries[2]?.cancel();
  entries[2]?.cancel();
  clock.advance(100);
  expect(expired).toEqual(['b', 'd', 'e']);
});

test('any number of items needs one timer', () => {
  const clock = createFakeClock();
  const queue = createExpiryQueue<number>(clock, () => undefined);
  for (let i = 100; i > 0; i--) queue.add(i, i);
  expect(clock.pending).toBe(1);
  queue.close();
  expect(clock.pending).toBe(0);
});
