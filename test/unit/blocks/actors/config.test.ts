import { expect, test } from 'vitest';
import { DEFAULT_ACTOR_CONFIG, parseActorConfig } from '../../../../src/blocks/actors/config.js';

test('entities alone get the defaults', () => {
  const { types, problems } = parseActorConfig('{"entities":["Counter","Cart"]}');
  expect([...types]).toEqual([
    ['Counter', DEFAULT_ACTOR_CONFIG],
    ['Cart', DEFAULT_ACTOR_CONFIG],
  ]);
  expect(problems).toEqual([]);
  expect(DEFAULT_ACTOR_CONFIG).toEqual({
    idleTimeoutMs: 3_600_000,
    drainTimeoutMs: 2_000,
    reentrancy: { enabled: false, maxStackDepth: 32 },
  });
});

test('general values hold for all types without an exception', () => {
  const { types } = parseActorConfig(
    JSON.stringify({
      entities: ['Counter', 'Cart'],
      actorIdleTimeout: '1h30m',
      drainOngoingCallTimeout: '30s',
      reentrancy: { enabled: true, maxStackDepth: 5 },
      entitiesConfig: [{ entities: ['Cart'], actorIdleTimeout: '10s', drainRebalancedActors: false }],
    }),
  );
  expect(types.get('Counter')).toEqual({
    idleTimeoutMs: 5_400_000,
    drainTimeoutMs: 30_000,
    reentrancy: { enabled: true, maxStackDepth: 5 },
  });
  expect(types.get('Cart')).toEqual({ ...DEFAULT_ACTOR_CONFIG, idleTimeoutMs: 10_000, drainTimeoutMs: 0 });
});

test('field names match without regard to case, as Go decodes them', () => {
  const { types } = parseActorConfig('{"Entities":["Counter"],"ActorIdleTimeout":"5s"}');
  expect(types.get('Counter')?.idleTimeoutMs).toBe(5_000);
});

test('a value that is no duration is named and replaced by the default', () => {
  const { types, problems } = parseActorConfig('{"entities":["Counter"],"actorIdleTimeout":"soon"}');
  expect(types.get('Counter')?.idleTimeoutMs).toBe(3_600_000);
  expect(problems).toEqual(['actorIdleTimeout "soon" is not a duration such as 30s or 1h30m; 3600000 ms are used']);
});

test('an exception for a type that is not hosted is named', () => {
  const { problems } = parseActorConfig('{"entities":["Counter"],"entitiesConfig":[{"entities":["Cat"]}]}');
  expect(problems).toEqual(['entitiesConfig names Cat, which is not among the entities']);
});

test.each(['[]', 'null', '"x"', '{'])('an answer that is no JSON object (%s) is an error', (text) => {
  expect(() => parseActorConfig(text)).toThrow('GET /dapr/config');
});
