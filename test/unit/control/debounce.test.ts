import { describe, expect, it } from 'vitest';
import { debounce } from '../../../src/control/debounce.js';
import { createFakeClock } from '../../support/fake-clock.js';

function setUp() {
  const clock = createFakeClock();
  let runs = 0;
  return { clock, runs: () => runs, debounced: debounce(() => void runs++, { quietMs: 10, maxMs: 100 }, clock) };
}

describe('debounce', () => {
  it('runs once after a burst', () => {
    const { clock, runs, debounced } = setUp();
    debounced.trigger();
    clock.advance(9);
    debounced.trigger();
    clock.advance(9);
    expect(runs()).toBe(0);
    clock.advance(1);
    expect(runs()).toBe(1);
    clock.advance(1_000);
    expect(runs()).toBe(1);
  });

  it('does not let a storm hold it back', () => {
    const { clock, runs, debounced } = setUp();
    for (let ms = 0; ms < 100; ms += 5) {
      debounced.trigger();
      clock.advance(5);
    }
    expect(runs()).toBe(1);
  });

  it('runs at once when flushed, if anything is due', () => {
    const { clock, runs, debounced } = setUp();
    debounced.flush();
    debounced.trigger();
    debounced.flush();
    clock.advance(1_000);
    expect(runs()).toBe(1);
  });

  it('runs no more once closed', () => {
    const { clock, runs, debounced } = setUp();
    debounced.trigger();
    debounced.close();
    clock.advance(1_000);
    expect(runs()).toBe(0);
  });
});
