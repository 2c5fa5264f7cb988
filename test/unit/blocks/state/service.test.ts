import { describe, expect, it } from 'vitest';
import type { ComponentHost } from '../../../../src/blocks/component-host.js';
import { ComponentSlot } from '../../../../src/blocks/component-slot.js';
import type { StateStore } from '../../../../src/blocks/state/contract.js';
import { createStateService, type StateService } from '../../../../src/blocks/state/service.js';
import { inMemoryStore } from '../../../../src/components/state/in-memory.js';
import { componentSpec } from '../../../support/component-deps.js';

const bytes = (text: string) => Buffer.from(text);

function serviceOn(store: StateStore | undefined, { appId = 'orders', metadata = {} } = {}): StateService {
  const hosted = store && {
    block: 'state' as const,
    name: 'store',
    spec: componentSpec('state.in-memory', metadata),
    component: store,
    slot: new ComponentSlot(store),
    namespaced: false,
    contentVersion: '',
  };
  const host: Pick<ComponentHost, 'state' | 'all'> = {
    state: (name) => (name === 'store' ? hosted : undefined),
    all: () => (hosted ? [hosted as never] : []),
  };
  return createStateService({ host, appId });
}

/** A store that answers later, and by keys only: no bulk read. */
function laterStore(now = Date.now): StateStore & { readonly inner: StateStore } {
  const inner = inMemoryStore(now);
  return {
    inner,
    capabilities: ['ETAG'],
    get: async (key) => inner.get(key),
    set: async (request) => inner.set(request),
    delete: async (request) => inner.delete(request),
    close: () => inner.close(),
  };
}

const attempt = async (action: () => unknown) => {
  try {
    await action();
  } catch (error) {
    return error as { code: string; message: string; row: { http: number } };
  }
  throw new Error('nothing was thrown');
};

describe('the state service', () => {
  it('answers at once when the store does', async () => {
    const service = serviceOn(inMemoryStore(Date.now));
    expect(service.save('store', [{ key: 'k', value: bytes('1') }])).toBeUndefined();
    expect(service.get('store', 'k')).toMatchObject({ value: bytes('1') });
  });

  it('puts the prefix before keys, so that apps share only what they mean to share', async () => {
    const store = inMemoryStore(Date.now);
    const [own, other] = [serviceOn(store), serviceOn(store, { appId: 'checkout' })];
    await own.save('store', [{ key: 'k', value: bytes('own') }]);
    expect(await other.get('store', 'k')).toBeUndefined();
    expect(await store.get('orders||k')).toBeDefined();
    const [a, b] = ['orders', 'checkout'].map((appId) => serviceOn(store, { appId, metadata: { KeyPrefix: 'Team' } }));
    await a?.save('store', [{ key: 'k', value: bytes('both') }]);
    expect((await b?.get('store', 'k'))?.value.toString()).toBe('both');
    expect(await store.get('team||k')).toBeDefined();
  });

  it('tells an unknown store from none at all', async () => {
    expect(await attempt(() => serviceOn(undefined).get('store', 'k'))).toMatchObject({ code: 'stateStoreNotConfigured' });
    expect(await attempt(() => serviceOn(inMemoryStore(Date.now)).get('nope', 'k'))).toMatchObject({
      code: 'stateStoreNotFound',
    });
  });

  it.each([
    ['an unknown consistency', { consistency: 'bad' }],
    ['an unknown concurrency', { concurrency: 'last' }],
    ['a time to live in words', { metadata: { ttlInSeconds: 'soon' } }],
    ['a time to live in fractions', { metadata: { ttlInSeconds: '1.5' } }],
    ['a time to live beyond all time', { metadata: { ttlInSeconds: '99999999999999' } }],
    ['a key with the separator', { key: 'a||b' }],
    ['an empty key', { key: '' }],
  ])('refuses %s with 400 and stores nothing', async (_what, item) => {
    const store = inMemoryStore(Date.now);
    const service = serviceOn(store);
    const items = [
      { key: 'first', value: bytes('1') },
      { key: 'k', value: bytes('1'), ...item },
    ];
    expect((await attempt(() => service.save('store', items))).row.http).toBe(400);
    expect(store.size).toBe(0);
  });

  it.each(['ttlInSeconds', 'TTLINSECONDS'])('expires what has %s', async (name) => {
    let now = 1_000_000;
    const store = inMemoryStore(() => now);
    const service = serviceOn(store);
    await service.save('store', [{ key: 'k', value: bytes('1'), metadata: { [name]: '10' } }]);
    expect((await service.get('store', 'k'))?.expiresAtMs).toBe(1_010_000);
    now += 10_000;
    expect(await service.get('store', 'k')).toBeUndefined();
    expect(store.size).toBe(0);
  });

  it('keeps for ever what has a time of zero or less', async () => {
    const service = serviceOn(inMemoryStore(Date.now));
    for (const ttlInSeconds of ['0', '-1', '']) {
      await service.save('store', [{ key: 'k', value: bytes('1'), metadata: { ttlInSeconds } }]);
      expect((await service.get('store', 'k'))?.expiresAtMs).toBeUndefined();
    }
  });

  it('refuses a time to live that the store cannot keep', async () => {
    const service = serviceOn(laterStore());
    const saved = attempt(() => service.save('store', [{ key: 'k', value: bytes('1'), metadata: { ttlInSeconds: '10' } }]));
    expect((await saved).message).toContain('cannot expire');
  });

  it.each([
    ['at once', () => inMemoryStore(Date.now)],
    ['later', () => laterStore()],
  ])('tells a wrong etag as a conflict, from a store that answers %s', async (_when, make) => {
    const service = serviceOn(make());
    await service.save('store', [{ key: 'k', value: bytes('1') }]);
    const saved = await attempt(() => service.save('store', [{ key: 'k', value: bytes('2'), etag: 'x' }]));
    expect(saved).toMatchObject({ code: 'stateSaveEtagMismatch', row: { http: 409 } });
    expect(saved.message).toMatch(/^failed saving state in state store store: possible etag mismatch/);
    expect(await attempt(() => service.delete('store', { key: 'k', etag: 'x' }))).toMatchObject({
      code: 'stateDeleteEtagMismatch',
    });
    expect(await attempt(() => service.deleteBulk('store', [{ key: 'k', etag: 'x' }]))).toMatchObject({
      code: 'stateDeleteBulkEtagMismatch',
    });
  });

  it.each([
    ['at once', () => inMemoryStore(Date.now)],
    ['later', () => laterStore()],
  ])('tries every item of a save, and tells all that failed, on a store that answers %s', async (_when, make) => {
    const service = serviceOn(make());
    const items = ['a', 'b', 'c', 'd'].map((key, n) => ({ key, value: bytes('1'), etag: n % 2 === 0 ? 'x' : '' }));
    const { message } = await attempt(() => service.save('store', items));
    expect(message).toContain('||a ');
    expect(message).toContain('||c ');
    expect(await service.get('store', 'b')).toBeDefined();
    expect(await service.get('store', 'd')).toBeDefined();
  });

  it('reads many keys without prefix, one by one where the store has no bulk read', async () => {
    for (const store of [inMemoryStore(Date.now), laterStore()]) {
      const service = serviceOn(store);
      await service.save('store', [{ key: 'a', value: bytes('1') }]);
      const entries = await service.bulkGet('store', { keys: ['b', 'a'], parallelism: 1 });
      expect(entries.map(({ key, entry }) => [key, entry?.value.toString()])).toEqual([
        ['b', undefined],
        ['a', '1'],
      ]);
    }
  });

  it('keeps one key of a bulk read that fails apart from the others', async () => {
    const store = laterStore();
    const service = serviceOn({
      ...store,
      get: async (key) => (key.endsWith('bad') ? Promise.reject(new Error('broken')) : undefined),
    });
    expect(await service.bulkGet('store', { keys: ['good', 'bad'] })).toEqual([{ key: 'good' }, { key: 'bad', error: 'broken' }]);
  });

  it('refuses transactions where the store has none, and more operations than it takes', async () => {
    const operation = { operation: 'delete' as const, item: { key: 'k' } };
    expect(await attempt(() => serviceOn(laterStore()).transact('store', [operation]))).toMatchObject({
      code: 'stateTransactionsNotSupported',
    });
    const small = Object.assign(inMemoryStore(Date.now), { maxTransactionOperations: 1 });
    expect(await attempt(() => serviceOn(small).transact('store', [operation, operation]))).toMatchObject({
      code: 'stateTooManyTransactions',
      meta: { count: '2', max: '1' },
    });
    expect(await serviceOn(small).transact('store', [])).toBeUndefined();
  });

  it('answers a wrong etag inside a transaction with a plain failure', async () => {
    const service = serviceOn(inMemoryStore(Date.now));
    const failed = attempt(() => service.transact('store', [{ operation: 'delete', item: { key: 'k', etag: 'x' } }]));
    expect(await failed).toMatchObject({ code: 'stateTransaction', message: expect.stringContaining('possible etag mismatch') });
  });
});
