import { describe, expect, it } from 'vitest';
import { BreakerOpenError } from '../../../../src/blocks/resiliency/breaker.js';
import { TryTimeoutError } from '../../../../src/blocks/resiliency/parts.js';
import { createPolicy } from '../../../../src/blocks/resiliency/policy.js';
import { ResiliencyPolicies } from '../../../../src/gen/weft/config/v1/config.js';
import { createFakeClock } from '../../../support/fake-clock.js';

function rig(policies: object) {
  const clock = createFakeClock();
  const told: string[] = [];
  const policy = createPolicy(ResiliencyPolicies.fromPartial({ source: 'doc', ...policies }), {
    target: { component: 'store', type: 'Statestore', direction: 'outbound' },
    clock,
    random: () => 0.5,
    observer: {
      ran: (_target, source, kind, state) => void told.push(`${source} ran ${kind}${state ? ` ${state}` : ''}`),
      activated: (_target, _source, kind) => void told.push(`activated ${kind}`),
      breaker: (_target, _source, state) => void told.push(`breaker ${state}`),
    },
  });
  return { clock, policy, told };
}

/** Fails `times` times; `at` has the time of each call. */
function flaky(clock: { now(): number }, times: number) {
  const at: number[] = [];
  const call = async () => {
    at.push(clock.now());
    if (at.length <= times) throw new Error(`failure ${at.length}`);
    return 'done';
  };
  return { at, call };
}

/** Lets whatever waits for a promise go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function advance(clock: ReturnType<typeof createFakeClock>, ms: number, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await settle();
    clock.advance(ms);
  }
  await settle();
}

describe('retries', () => {
  it('come after a constant wait, as often as it says', async () => {
    const { clock, policy, told } = rig({ retry: { intervalMs: 100, maxRetries: 3 } });
    const { at, call } = flaky(clock, 3);
    const result = policy.run(call);
    await advance(clock, 100, 3);
    expect(await result).toBe('done');
    expect(at).toEqual([0, 100, 200, 300]);
    expect(told).toEqual(['doc ran retry', ...Array(3).fill('activated retry')]);
  });

  it('end with what the last try threw', async () => {
    const { clock, policy } = rig({ retry: { intervalMs: 100, maxRetries: 1 } });
    const result = policy.run(flaky(clock, 9).call).catch(String);
    await advance(clock, 100, 1);
    expect(await result).toBe('Error: failure 2');
  });

  it('wait longer each time when they are exponential, and never longer than the most', async () => {
    const { clock, policy } = rig({ retry: { exponential: true, intervalMs: 500, maxIntervalMs: 1000, maxRetries: -1 } });
    const { at, call } = flaky(clock, 4);
    const result = policy.run(call);
    await advance(clock, 125, 40);
    await result;
    expect(at).toEqual([0, 500, 1250, 2250, 3250]);
  });

  it('do not go on for ever, and not after an abort', async () => {
    const { clock, policy } = rig({ retry: { intervalMs: 60_000, maxRetries: -1 } });
    const { at, call } = flaky(clock, 99);
    const result = policy.run(call).catch(String);
    await advance(clock, 60_000, 20);
    expect(await result).toBe('Error: failure 16');
    const stop = new AbortController();
    const before = at.length;
    const stopped = policy.run(call, { signal: stop.signal }).catch(String);
    await settle();
    stop.abort();
    expect(await stopped).toMatch('failure');
    expect(at.length).toBe(before + 1);
    expect(clock.pending).toBe(0);
  });

  it('are for what matches only, and for what is no reply at all', async () => {
    const retry = { maxRetries: 1, intervalMs: 0, httpStatusCodes: [{ from: 500, to: 502 }] };
    const { clock, policy } = rig({ retry });
    const tries = async (protocol: 'http' | 'grpc' | undefined, code: number) => {
      const { at, call } = flaky(clock, 9);
      const replyOf = () => (protocol ? { protocol, code } : undefined);
      const result = policy.run(call, { replyOf }).catch(() => {});
      await advance(clock, 0, 2);
      await result;
      return at.length;
    };
    expect(await tries('http', 503)).toBe(1);
    expect(await tries('http', 502)).toBe(2);
    expect(await tries('grpc', 14)).toBe(2);
    expect(await tries(undefined, 0)).toBe(2);
  });

  it('are not for a call that is itself wrong, which does not count against the component either', async () => {
    const breaker = { name: 'b', maxRequests: 1, timeoutMs: 1000, trip: 'consecutiveFailures >= 1' };
    const { clock, policy, told } = rig({ retry: { maxRetries: 5, intervalMs: 1 }, circuitBreaker: breaker });
    const { at, call } = flaky(clock, 9);
    await expect(policy.run(call, { isCallersFault: () => true })).rejects.toThrow('failure 1');
    expect(at).toHaveLength(1);
    expect(told).not.toContain('breaker open');
  });
});

describe('a caller', () => {
  const failing = () => Promise.reject(new Error('no'));
  it('who goes while the next try is waited for ends the tries, and one who stays is asked once', async () => {
    const { clock, policy } = rig({ retry: { maxRetries: -1, intervalMs: 1000 } });
    const gone = new AbortController();
    let asked = 0;
    let tries = 0;
    const caller = () => {
      asked += 1;
      return gone.signal;
    };
    const result = policy.run(
      () => {
        tries += 1;
        return failing();
      },
      { caller },
    );
    result.catch(() => {});
    await advance(clock, 1000, 3);
    const before = tries;
    expect(before).toBeGreaterThan(1);
    gone.abort();
    await expect(result).rejects.toThrow('no');
    expect([tries, asked, clock.pending]).toEqual([before, 1, 0]);
  });

  it('who is gone already gets no second try, and one whose call works is not asked', async () => {
    const { clock, policy } = rig({ retry: { maxRetries: 5, intervalMs: 1 } });
    await expect(policy.run(failing, { caller: () => AbortSignal.abort() })).rejects.toThrow('no');
    const caller = () => {
      throw new Error('asked');
    };
    expect(await policy.run(() => 'well', { caller })).toBe('well');
    expect(clock.pending).toBe(0);
  });
});

describe('a timeout', () => {
  it('is of one try, aborts it and lets the next one begin', async () => {
    const { clock, policy, told } = rig({ timeoutMs: 50, retry: { maxRetries: 1, intervalMs: 10 } });
    const signals: AbortSignal[] = [];
    const result = policy.run((signal) => {
      signals.push(signal as AbortSignal);
      return signals.length === 1 ? new Promise<string>(() => {}) : Promise.resolve('second');
    });
    await advance(clock, 10, 8);
    expect(await result).toBe('second');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(told).toContain('activated timeout');
    expect(clock.pending).toBe(0);
  });

  it('says what it is when no retry follows', async () => {
    const { clock, policy } = rig({ timeoutMs: 50 });
    const result = policy.run(() => new Promise(() => {})).catch((error: unknown) => error);
    await advance(clock, 50, 1);
    expect(await result).toBeInstanceOf(TryTimeoutError);
  });
});

describe('a circuit breaker in a policy', () => {
  it('counts every try, and once it is open ends the retries', async () => {
    const circuitBreaker = { name: 'b', maxRequests: 1, timeoutMs: 1000, trip: 'consecutiveFailures >= 2' };
    const { clock, policy, told } = rig({ retry: { intervalMs: 1, maxRetries: 10 }, circuitBreaker });
    const { at, call } = flaky(clock, 99);
    const result = policy.run(call).catch((error: unknown) => error);
    await advance(clock, 1, 5);
    expect(await result).toBeInstanceOf(BreakerOpenError);
    expect(at).toHaveLength(2);
    expect(told).toEqual(expect.arrayContaining(['breaker closed', 'activated circuitbreaker', 'breaker open']));
    clock.advance(1000);
    expect(await policy.run(async () => 'closed again')).toBe('closed again');
  });
});
