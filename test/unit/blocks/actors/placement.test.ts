import { expect, test } from 'vitest';
import { canonicalName, createPlacement } from '../../../../src/blocks/actors/placement.js';
import { buildTable, changeOf, placementOf } from '../../../support/actors.js';

const start = (release: (types: ReadonlySet<string>) => Promise<void> = async () => {}) =>
  createPlacement({ namespace: 'default', buildTable, release });

test('nobody owns an actor before the first placement', () => {
  expect(start().owner({ type: 'Counter', id: 'a' })).toBeUndefined();
});

test('the owner is the host that won, with its generation', async () => {
  const placement = start();
  await placement.apply(changeOf(placementOf('Counter', 3, ['h1', 'h2', 'h3'])));
  const owner = placement.owner({ type: 'Counter', id: 'a' });
  expect(owner?.generation).toBe(3);
  expect(owner?.host.instanceId).toBe(buildTable(['h3', 'h1', 'h2']).owner('Counter/a'));
});

test('ownership is computed from one encoding of the name', () => {
  expect(canonicalName({ type: 'Counter', id: 'a b:c/ü' })).toBe('Counter/a%20b%3Ac%2F%C3%BC');
});

test('new hosts are in force while moved actors are still being released', async () => {
  let release = () => {};
  const placement = start((types) => {
    expect([...types]).toEqual(['Counter']);
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  let acknowledged = false;
  const applied = Promise.resolve(placement.apply(changeOf(placementOf('Counter', 1, ['h1'])))).then(() => {
    acknowledged = true;
  });
  expect(placement.owner({ type: 'Counter', id: 'a' })?.host.instanceId).toBe('h1');
  await Promise.resolve();
  expect(acknowledged).toBe(false);
  release();
  await applied;
  expect(acknowledged).toBe(true);
});

test('a generation that falls is refused and what is in force stays', async () => {
  const placement = start();
  await placement.apply(changeOf(placementOf('Counter', 5, ['h1'])));
  await expect(placement.apply(changeOf(placementOf('Counter', 4, ['h2'])))).rejects.toThrow('generation fell from 5 to 4');
  expect(placement.owner({ type: 'Counter', id: 'a' })).toMatchObject({ generation: 5, host: { instanceId: 'h1' } });
});

test('a type that is removed has no owner', async () => {
  const released: string[] = [];
  const placement = start(async (types) => void released.push(...types));
  await placement.apply(changeOf(placementOf('Counter', 1, ['h1']), placementOf('Cart', 1, ['h1'])));
  await placement.apply({ updated: new Map(), removed: ['default/Cart', 'other/Counter'] });
  expect(placement.owner({ type: 'Cart', id: 'a' })).toBeUndefined();
  expect(placement.describe()).toEqual(['Counter=1']);
  expect(released).toEqual(['Counter', 'Cart', 'Cart']);
});

test('a type of another namespace is none of ours', async () => {
  const placement = start();
  await placement.apply(changeOf({ ...placementOf('Counter', 1, ['h1']), namespace: 'other' }));
  expect(placement.owner({ type: 'Counter', id: 'a' })).toBeUndefined();
});

test('types with the same hosts share one table', async () => {
  let built = 0;
  const placement = createPlacement({
    namespace: 'default',
    release: async () => {},
    buildTable: (hosts) => {
      built++;
      return buildTable(hosts);
    },
  });
  await placement.apply(changeOf(placementOf('Counter', 1, ['h1', 'h2']), placementOf('Cart', 1, ['h2', 'h1'])));
  await placement.apply(changeOf(placementOf('Third', 1, ['h1', 'h2'])));
  expect(built).toBe(1);
});
