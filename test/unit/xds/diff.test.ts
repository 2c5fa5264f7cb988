import { describe, expect, it } from 'vitest';
import { changesBetween, type DiffInput, diff } from '../../../src/xds/diff.js';
import { LayeredMap } from '../../../src/xds/layered-map.js';
import { createSubscription } from '../../../src/xds/subscription.js';
import { resourcesOf } from '../../support/xds-fixtures.js';

interface Case {
  readonly now: Record<string, string>;
  readonly names?: readonly string[];
  readonly wildcard?: boolean;
  readonly has?: Record<string, string>;
  readonly inherits?: Record<string, string>;
  readonly owed?: 'all' | readonly string[];
  readonly rejected?: Record<string, string>;
  readonly settling?: boolean;
  readonly since?: ReadonlyMap<string, ReturnType<typeof resourcesOf> extends ReadonlyMap<string, infer R> ? R : never>;
}

function run(given: Case) {
  const subscription = createSubscription();
  subscription.setWildcard(given.wildcard ?? false);
  subscription.subscribe(given.names ?? []);
  subscription.inherit(new Map(Object.entries(given.inherits ?? {})));
  subscription.sent([...resourcesOf(given.has ?? {}).values()], []);
  const owed: DiffInput['owed'] = given.owed === 'all' ? 'all' : new Set(given.owed ?? []);
  const rejected = new Map(Object.entries(given.rejected ?? {}));
  const resources = resourcesOf(given.now);
  const delta = diff({ resources, subscription, owed, rejected, settling: given.settling ?? false, since: given.since });
  return { upserts: Object.fromEntries(delta.upserts.map(({ name, version }) => [name, version])), removals: delta.removals };
}

const nothing = { upserts: {}, removals: [] };

describe('the difference between a snapshot and what a client has', () => {
  it('is what is new, changed and gone, for a wildcard', () => {
    expect(run({ now: { a: '2', b: '1', c: '1' }, wildcard: true, has: { a: '1', b: '1', d: '1' } })).toEqual({
      upserts: { a: '2', c: '1' },
      removals: ['d'],
    });
  });

  it('is only what the client named', () => {
    expect(run({ now: { a: '1', b: '1' }, names: ['a', 'x'] })).toEqual({ upserts: { a: '1' }, removals: [] });
  });

  it('is nothing when versions are the same', () => {
    expect(run({ now: { a: '1' }, names: ['a'], has: { a: '1' } })).toEqual(nothing);
  });

  it('has owed names in it, changed or not, and says which do not exist', () => {
    expect(run({ now: { a: '1' }, names: ['a', 'x'], has: { a: '1' }, owed: ['a', 'x'] })).toEqual({
      upserts: { a: '1' },
      removals: ['x'],
    });
  });

  it('has everything in it when everything is owed', () => {
    expect(run({ now: { a: '1', b: '1' }, wildcard: true, has: { a: '1' }, owed: 'all' })).toEqual({
      upserts: { a: '1', b: '1' },
      removals: [],
    });
  });

  it('leaves out a version that the client refused, but not the next one', () => {
    const refused = { wildcard: true, inherits: { a: '1' }, rejected: { a: '2' } };
    expect(run({ ...refused, now: { a: '2' } })).toEqual(nothing);
    expect(run({ ...refused, now: { a: '3' } })).toEqual({ upserts: { a: '3' }, removals: [] });
  });

  it('neither replaces nor removes, while settling, what the client brought along; new resources go out', () => {
    const reconnected = { now: { a: '2', c: '1' }, wildcard: true, inherits: { a: '1', b: '1' } };
    expect(run({ ...reconnected, settling: true })).toEqual({ upserts: { c: '1' }, removals: [] });
    expect(run(reconnected)).toEqual({ upserts: { a: '2', c: '1' }, removals: ['b'] });
  });

  it('replaces, while settling, what this control plane has sent itself', () => {
    expect(run({ now: { a: '2' }, wildcard: true, has: { a: '1' }, settling: true })).toEqual({
      upserts: { a: '2' },
      removals: [],
    });
  });

  it('does not say, while settling, that a resource does not exist', () => {
    expect(run({ now: {}, names: ['x'], owed: ['x'], settling: true })).toEqual(nothing);
  });

  it('looks only at what has changed since the client was in step', () => {
    const since = resourcesOf({ a: '1', b: '1', c: '1' });
    const given = { wildcard: true, has: { a: '1', b: '1', c: '1' }, since };
    expect(run({ ...given, now: { a: '2', b: '1' } })).toEqual({ upserts: { a: '2' }, removals: ['c'] });
  });
});

describe('changes between two sets of resources', () => {
  it('are names of what is new, changed or gone', () => {
    expect(changesBetween(resourcesOf({ a: '1', b: '1' }), resourcesOf({ a: '2', c: '1' }))).toEqual(['a', 'c', 'b']);
  });

  it('are computed once for a pair', () => {
    const [before, after] = [resourcesOf({ a: '1' }), resourcesOf({ a: '2' })];
    expect(changesBetween(before, after)).toBe(changesBetween(before, after));
  });

  it('are found in both layers', () => {
    const [base, changedBase] = [resourcesOf({ a: '1' }), resourcesOf({ a: '2' })];
    const before = new LayeredMap(base, resourcesOf({ own: '1' }));
    const after = new LayeredMap(changedBase, resourcesOf({ own: '2' }));
    expect(changesBetween(before, after)).toEqual(['a', 'own']);
  });

  it('cover a resource that moves from one layer to the other', () => {
    const before = new LayeredMap(resourcesOf({ a: '1' }), resourcesOf({ a: '9' }));
    const after = new LayeredMap(resourcesOf({ a: '1' }), resourcesOf({}));
    expect(changesBetween(before, after)).toEqual(['a']);
  });
});
