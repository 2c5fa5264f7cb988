import { expect, test } from 'vitest';
import { loadMaglev } from '../../../src/lib/maglev.js';

const build = await loadMaglev();
const hosts = (count: number) => Array.from({ length: count }, (_, i) => `instance-${i}`);
const keys = Array.from({ length: 5_000 }, (_, i) => `Counter/actor-${i}`);

test('the order in which hosts are given does not matter', () => {
  const forward = build(hosts(7));
  const backward = build(hosts(7).reverse());
  for (const key of keys) expect(backward.owner(key)).toBe(forward.owner(key));
});

test('every host gets about the same share', () => {
  const table = build(hosts(5));
  const share = new Map<string, number>();
  for (const key of keys) share.set(table.owner(key), (share.get(table.owner(key)) ?? 0) + 1);
  expect(share.size).toBe(5);
  for (const count of share.values()) expect(count).toBeGreaterThan(800);
});

test('a host that joins takes its share and leaves nearly all other keys where they were', () => {
  const before = build(hosts(4));
  const after = build(hosts(5));
  const moved = keys.filter((key) => before.owner(key) !== after.owner(key));
  const elsewhere = moved.filter((key) => after.owner(key) !== 'instance-4');
  expect(moved.length).toBeGreaterThan(keys.length / 10);
  expect(elsewhere.length).toBeLessThan(keys.length / 20);
});

test('a single host owns everything', () => {
  expect(build(['only']).owner('Counter/a')).toBe('only');
});

test('no hosts are refused, because nobody would own anything', () => {
  expect(() => build([])).toThrow(RangeError);
});
