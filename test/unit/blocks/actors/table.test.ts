import { expect, test } from 'vitest';
import { DEFAULT_ACTOR_CONFIG } from '../../../../src/blocks/actors/config.js';
import { Actor, actorKey, createActorTable } from '../../../../src/blocks/actors/table.js';
import { TurnQueue } from '../../../../src/blocks/actors/turn-queue.js';
import { createFakeClock } from '../../../support/fake-clock.js';

const newActor = (type: string, id: string) =>
  new Actor(
    { type, id },
    DEFAULT_ACTOR_CONFIG,
    new TurnQueue({ clock: createFakeClock(), maxWaiting: 1, maxWaitMs: 1, maxStackDepth: 0 }),
  );

test('an actor lives through its five states in order', () => {
  const actor = newActor('Counter', 'a');
  const seen = [actor.state];
  for (const next of ['activating', 'valid', 'deactivating', 'invalid'] as const) {
    actor.become(next);
    seen.push(actor.state);
  }
  expect(seen).toEqual(['creating', 'activating', 'valid', 'deactivating', 'invalid']);
});

test('an activation that fails ends without ever having been valid', () => {
  const actor = newActor('Counter', 'a');
  actor.become('activating');
  actor.become('invalid');
  expect(() => actor.become('valid')).toThrow('invalid cannot become valid');
});

test('a valid actor cannot vanish without being deactivated', () => {
  const actor = newActor('Counter', 'a');
  actor.become('activating');
  actor.become('valid');
  expect(() => actor.become('invalid')).toThrow('valid cannot become invalid');
});

test('the table never holds two activations of one actor', () => {
  const table = createActorTable();
  table.add(newActor('Counter', 'a'));
  expect(() => table.add(newActor('Counter', 'a'))).toThrow('lives already');
});

test('removing an old activation leaves its successor alone', () => {
  const table = createActorTable();
  const old = newActor('Counter', 'a');
  table.add(old);
  table.remove(old);
  const successor = newActor('Counter', 'a');
  table.add(successor);
  table.remove(old);
  expect(table.get(actorKey(successor))).toBe(successor);
});

test('live actors are counted by type, hosted types without any as 0', () => {
  const table = createActorTable();
  for (const id of ['a', 'b']) table.add(newActor('Counter', id));
  expect(table.counts(['Cart', 'Counter'])).toEqual([
    { type: 'Cart', count: 0 },
    { type: 'Counter', count: 2 },
  ]);
});
