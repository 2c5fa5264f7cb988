import { describe, expect, it } from 'vitest';
import { compileRoutes } from '../../../../src/blocks/pubsub/routing.js';

const EVENT = {
  id: '7',
  type: 'order.made',
  source: 'checkout',
  data: {
    items: [1, 2, 3, 4],
    price: 10.5,
    quantity: 3,
    name: 'widget',
    nothing: null,
    tags: ['a', 'b'],
    nested: { deep: true },
  },
};
const warnings: string[] = [];
const log = { warn: (message: string) => void warnings.push(message) };
const matches = (match: string, event: unknown = EVENT) =>
  compileRoutes([{ match, path: '/hit' }], log).route(() => event) === '/hit';

describe('routing rules', () => {
  it.each([
    'event.type == "order.made"',
    "event.type == 'order.made' && event.source == 'checkout'",
    'event.data.items.size() > 3',
    'size(event.data.items) == 4',
    'has(event.data.name)',
    '!has(event.data.missing)',
    'event.data.price > 10.0',
    'event.data.price > 10',
    'event.data.quantity == 3',
    'event.data.quantity >= 2 && event.data.quantity <= 4',
    'event.data.name.startsWith("wid")',
    'event.data.name.endsWith("get")',
    'event.data.name.contains("dge")',
    'event.data.name.matches("^w.*t$")',
    '"a" in event.data.tags',
    'event.data.tags[1] == "b"',
    'event.data.nested.deep',
    'event["type"] == "order.made"',
    'event.data.items.exists(i, i == 4)',
    'event.data.nothing == null',
    'event.data.missing == 1 || event.type == "order.made"',
    'event.type in ["a", "order.made"]',
  ])('match: %s', (rule) => expect(matches(rule)).toBe(true));

  it.each(['event.type == "other"', 'event.data.items.size() > 4', 'has(event.data.missing)', 'event.data.name.startsWith("x")'])(
    'do not match: %s',
    (rule) => expect(matches(rule)).toBe(false),
  );

  it.each(['event.data.missing == 1', 'event.data.name > 3', 'event.type', 'event.data.items'])(
    'that fail or give no bool do not match, and are logged: %s',
    (rule) => {
      const before = warnings.length;
      expect(matches(rule)).toBe(false);
      expect(warnings.length).toBe(before + 1);
    },
  );

  it.each(['event.type ==', 'other == 1', 'event.type == "a" &&& true', `${'('.repeat(500)}true${')'.repeat(500)}`])(
    'that are not CEL over event are refused by name: %s',
    (rule) => expect(() => compileRoutes([{ match: rule, path: '/' }], log)).toThrow(/^rule '.* is not valid CEL/),
  );

  it('are tried in order, the default last', () => {
    const router = compileRoutes(
      [
        { match: 'event.type == "x"', path: '/x' },
        { match: 'has(event.data)', path: '/first' },
        { match: 'true', path: '/second' },
        { match: '', path: '/default' },
      ],
      log,
    );
    expect([router.route(() => EVENT), router.route(() => ({ type: 'x' })), router.route(() => ({ type: 'y' }))]).toEqual([
      '/first',
      '/x',
      '/second',
    ]);
  });

  it('match nothing when there is none that fits', () => {
    expect(compileRoutes([{ match: 'false', path: '/' }], log).route(() => EVENT)).toBeUndefined();
    expect(compileRoutes([], log).route(() => EVENT)).toBeUndefined();
  });

  it('never look at the event when the first one takes everything', () => {
    const router = compileRoutes(
      [
        { match: ' ', path: '/all' },
        { match: 'event.x', path: '/' },
      ],
      log,
    );
    expect(router.constant).toBe(true);
    expect(router.route(() => expect.unreachable('the event was decoded'))).toBe('/all');
  });

  it('are stopped when a pattern backtracks without end', () => {
    expect(matches('event.s.matches("^(a+)+$")', { s: `${'a'.repeat(40)}!` })).toBe(false);
    expect(matches('event.s.matches("^a+$")', { s: 'aaa' })).toBe(true);
  });

  it('are stopped when loops multiply the event’s lists', () => {
    const list = Array.from({ length: 5_000 }, (_, index) => index);
    expect(matches('event.l.all(i, event.l.all(j, event.l.all(k, i + j + k >= 0.0)))', { l: list })).toBe(false);
  });
});
