import { describe, expect, it } from 'vitest';
import {
  BreakerOpenError,
  type BreakerOptions,
  type BreakerState,
  CircuitBreaker,
} from '../../../../src/blocks/resiliency/breaker.js';
import { compileTrip } from '../../../../src/model/traffic/trip-expression.js';
import { createFakeClock } from '../../../support/fake-clock.js';

function rig(change: Partial<BreakerOptions> = {}) {
  const clock = createFakeClock();
  const changes: BreakerState[] = [];
  const breaker = new CircuitBreaker({
    maxRequests: 1,
    intervalMs: 0,
    openMs: 1000,
    trips: compileTrip('consecutiveFailures > 2'),
    clock,
    onChange: (state) => void changes.push(state),
    ...change,
  });
  const call = (...outcomes: boolean[]) => {
    for (const outcome of outcomes) breaker.enter()(outcome);
  };
  return { clock, breaker, call, changes };
}

describe('a circuit breaker', () => {
  it('opens when its expression says so, lets one try through after its time, and closes on its success', () => {
    const { clock, breaker, call, changes } = rig();
    call(false, false, true, false, false);
    expect(breaker.state).toBe('closed');
    call(false);
    expect(() => breaker.enter()).toThrow(BreakerOpenError);
    clock.advance(999);
    expect(() => breaker.enter()).toThrow('circuit breaker is open');
    clock.advance(1);
    const first = breaker.enter();
    expect(() => breaker.enter()).toThrow('half open');
    first(true);
    expect(changes).toEqual(['open', 'half-open', 'closed']);
    call(false, false);
    expect(breaker.state).toBe('closed');
  });

  it('opens again when the try fails', () => {
    const { clock, breaker, call } = rig();
    call(false, false, false);
    clock.advance(1000);
    call(false);
    expect(breaker.state).toBe('open');
    clock.advance(1000);
    expect(breaker.state).toBe('half-open');
  });

  it('needs as many successes as it lets tries through', () => {
    const { clock, breaker, call } = rig({ maxRequests: 3 });
    call(false, false, false);
    clock.advance(1000);
    const tries = [breaker.enter(), breaker.enter(), breaker.enter()];
    expect(() => breaker.enter()).toThrow(BreakerOpenError);
    tries[0]?.(true);
    tries[1]?.(true);
    expect(breaker.state).toBe('half-open');
    tries[2]?.(true);
    expect(breaker.state).toBe('closed');
  });

  it('does not count what a call of an earlier state brings', () => {
    const { clock, breaker, call } = rig();
    const late = breaker.enter();
    call(false, false, false);
    clock.advance(1000);
    expect(breaker.state).toBe('half-open');
    late(false);
    expect(breaker.state).toBe('half-open');
  });

  it('forgets its counts every interval while it is closed', () => {
    const { clock, breaker, call } = rig({ intervalMs: 100 });
    call(false, false);
    clock.advance(100);
    call(false, false);
    expect(breaker.state).toBe('closed');
    call(false);
    expect(breaker.state).toBe('open');
  });

  it('takes any expression over its counts', () => {
    const { breaker, call } = rig({ trips: compileTrip('requests >= 4 && double(totalFailures) / double(requests) >= 0.5') });
    call(true, false, true);
    expect(breaker.state).toBe('closed');
    call(false);
    expect(breaker.state).toBe('open');
  });
});

it.each([
  ['consecutiveFailures >', 'trip "consecutiveFailures >"'],
  ['failures > 3', 'the counts are requests'],
  ['requests + 1', 'in place of true or false'],
])('refuses the trip expression %s', (expression, message) => {
  expect(() => compileTrip(expression)).toThrow(message);
});
