import { expect, it } from 'vitest';
import { Remainder } from '../../../../src/agent/metrics/remainder.js';

it('is what the whole has grown beyond its part', () => {
  const remainder = new Remainder();
  expect([remainder.read(10, 3), remainder.read(20, 4)]).toEqual([7, 16]);
});

it('never falls when the part is read later than the whole, and makes up for it', () => {
  const remainder = new Remainder();
  expect([remainder.read(10, 5), remainder.read(10, 8), remainder.read(14, 8), remainder.read(20, 10)]).toEqual([5, 5, 6, 10]);
});

it('goes on when the whole starts anew', () => {
  const remainder = new Remainder();
  expect([remainder.read(10, 5), remainder.read(4, 6)]).toEqual([5, 8]);
});
