import { expect, it } from 'vitest';
import { Remainder } from '../../../../src/agent/metrics/remainder.js';

it('takes off what others count of the same', () => {
  const remainder = new Remainder();
  expect(remainder.read(10, 2, 3)).toBe(5);
  expect(remainder.read(20, 2, 8)).toBe(10);
});

it('never falls: what is too much in one reading is taken off the next', () => {
  const remainder = new Remainder();
  expect([remainder.read(10, 0), remainder.read(10, 2), remainder.read(15, 2)]).toEqual([10, 10, 13]);
});

it('goes on when one of those who count starts anew, and the others do not', () => {
  const remainder = new Remainder();
  remainder.read(1000, 50, 100);
  // Envoy was started again: 30 calls, 5 of them denied, 10 answered by the filter service, which had 100 before.
  expect(remainder.read(30, 5, 110)).toBe(865);
});
