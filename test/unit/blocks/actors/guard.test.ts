import { expect, test } from 'vitest';
import { guardTurns, limitTurns } from '../../../../src/blocks/actors/guard.js';
import type { ActorAnswer, ActorCall, ActorRuntime } from '../../../../src/blocks/actors/runtime.js';
import { CallerGoneError } from '../../../../src/blocks/actors/turn-queue.js';
import { ActorPolicies } from '../../../../src/blocks/resiliency/actor-policies.js';
import { AppError } from '../../../../src/errors.js';
import { ActorResiliency, BreakerScope } from '../../../../src/gen/weft/config/v1/config.js';
import { settled, TestActorApp } from '../../../support/actors.js';
import { createFakeClock } from '../../../support/fake-clock.js';

const REPLY: ActorAnswer = { kind: 'reply', reply: { status: 200, headers: {}, body: Buffer.alloc(0) } };
const OPEN = 'error invoke actor method: circuit breaker is open';

/** A host of the type `Cart` under a breaker that opens after two failures in a row, for a second. */
function host(resource: Partial<ActorResiliency> = {}, trip = 'consecutiveFailures >= 2') {
  const clock = createFakeClock();
  const policies = new ActorPolicies({ namespace: 'default', clock });
  const circuitBreaker = { name: 'c', maxRequests: 1, intervalMs: 0, timeoutMs: 1000, trip };
  const policy = ActorResiliency.fromPartial({ circuitBreaker, breakerCacheSize: 10, ...resource });
  const apply = (more: Partial<ActorResiliency> = {}) =>
    policies.apply({ updated: new Map([['default/Cart', { ...policy, ...more }]]), removed: [] });
  apply();
  let ran: string[] = [];
  let result: (call: ActorCall) => ActorAnswer | Promise<ActorAnswer> = () => REPLY;
  const runtime = guardTurns(
    {
      hostedTypes: ['Cart'],
      execute: async (call: ActorCall) => {
        ran.push(call.id);
        return result(call);
      },
    } as unknown as ActorRuntime,
    policies,
  );
  const call = (id: string, type = 'Cart') =>
    runtime.execute({ type, id, method: 'add', headers: {}, remote: false }).then(
      (answer) => answer.kind,
      (error: Error) => error.message,
    );
  return {
    clock,
    policies,
    apply,
    call,
    ran: () => ran.splice(0, ran.length),
    answer: (make: typeof result) => {
      result = make;
      ran = [];
    },
  };
}
const fails = () => {
  throw new AppError('actorInvoke', { err: 'no' });
};

test('the breaker of a type holds back all its actors, half-opens after its time and closes', async () => {
  const { clock, call, answer, ran } = host();
  answer(fails);
  expect([await call('a'), await call('b'), await call('a'), await call('c')]).toEqual([
    ...Array(2).fill('error invoke actor method: no'),
    ...Array(2).fill(OPEN),
  ]);
  expect(ran()).toEqual(['a', 'b']);
  clock.advance(1000);
  expect([await call('c'), await call('d')]).toEqual(['error invoke actor method: no', OPEN]);
  clock.advance(1000);
  answer(() => REPLY);
  expect([await call('c'), await call('d')]).toEqual(['reply', 'reply']);
});

test('another type is not asked about', async () => {
  const { call, answer } = host();
  answer(fails);
  for (let i = 0; i < 4; i += 1) expect(await call('a', 'Other')).toBe('error invoke actor method: no');
});

test('the breaker of an actor is its own, and the one asked for longest ago is forgotten', async () => {
  const { call, answer } = host({ breakerScope: BreakerScope.BREAKER_SCOPE_ID, breakerCacheSize: 2 });
  answer(fails);
  for (const id of ['a', 'a', 'b', 'b']) await call(id);
  expect([await call('a'), await call('b')]).toEqual([OPEN, OPEN]);
  answer(() => REPLY);
  expect(await call('c')).toBe('reply');
  expect([await call('b'), await call('a')]).toEqual([OPEN, 'reply']);
});

test('of both the one that lets a call through does not count what the other holds back', async () => {
  const { clock, call, answer } = host(
    { breakerScope: BreakerScope.BREAKER_SCOPE_BOTH },
    'consecutiveFailures >= 2 || requests >= 4 && totalFailures >= 3',
  );
  answer(fails);
  for (const id of ['a', 'a']) await call(id);
  clock.advance(1000);
  // The type's is half open now and takes one try, a's own too.
  answer(() => REPLY);
  expect(await call('a')).toBe('reply');
  answer(fails);
  await call('a');
  await call('b');
  expect([await call('c'), await call('d')]).toEqual([OPEN, OPEN]);
});

test('what never was a turn counts for nothing', async () => {
  const { call, answer } = host();
  for (const outcome of [
    () => ({ kind: 'moved' }) as const,
    () => {
      throw new CallerGoneError();
    },
    () => {
      throw new AppError('actorStackDepth');
    },
  ]) {
    answer(outcome);
    for (let i = 0; i < 4; i += 1) expect(await call('a')).not.toBe(OPEN);
  }
  answer(() => REPLY);
  expect(await call('a')).toBe('reply');
});

test('a half-open breaker takes the next try when the one under way turned out to be none', async () => {
  const { clock, call, answer } = host();
  answer(fails);
  await call('a');
  await call('a');
  clock.advance(1000);
  answer(() => ({ kind: 'moved' }));
  expect(await call('a')).toBe('moved');
  answer(() => REPLY);
  expect(await call('a')).toBe('reply');
});

test('a policy that stays keeps what it has counted; one that changes or goes starts anew', async () => {
  const { apply, call, answer, policies } = host();
  answer(fails);
  await call('a');
  await call('a');
  apply();
  expect(await call('a')).toBe(OPEN);
  apply({ breakerScope: BreakerScope.BREAKER_SCOPE_ID });
  expect(await call('a')).toBe('error invoke actor method: no');
  await call('a');
  expect(await call('a')).toBe(OPEN);
  policies.apply({ updated: new Map(), removed: ['default/Cart'] });
  expect(policies.of('Cart')).toBeUndefined();
  expect(await call('a')).toBe('error invoke actor method: no');
});

test('an expression that is none changes nothing', async () => {
  const { policies } = host();
  const before = policies.of('Cart');
  const circuitBreaker = { name: 'c', maxRequests: 1, intervalMs: 0, timeoutMs: 1000, trip: 'nonsense(' };
  const updated = new Map([['default/Cart', ActorResiliency.fromPartial({ circuitBreaker })]]);
  expect(() => policies.apply({ updated, removed: ['default/Cart'] })).toThrow(
    'resiliency of actor type default/Cart: circuit breaker c: trip "nonsense("',
  );
  expect(policies.of('Cart')).toBe(before);
});

test('the time of a turn is over: the app’s request is aborted and the caller gets an error', async () => {
  const { clock, policies, apply } = host();
  apply({ timeoutMs: 200 });
  const app = new TestActorApp();
  const limited = limitTurns(app, policies);
  const turn = { id: 'a', method: 'add', headers: {}, remote: false, signal: new AbortController().signal };
  const late = limited.invoke({ ...turn, type: 'Cart' }).catch((error: Error) => error.message);
  const other = limited.invoke({ ...turn, type: 'Other' });
  await settled();
  clock.advance(200);
  expect(await late).toBe('error invoke actor method: no answer within 200 ms');
  expect([...app.running.keys()]).toEqual(['Other/a']);
  app.running.get('Other/a')?.end();
  expect((await other).status).toBe(200);
});
