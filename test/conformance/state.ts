import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateCapability, StateStore } from '../../src/blocks/state/contract.js';

export interface StateConformance {
  readonly name: string;
  /** @returns a fresh, empty store */
  open(): Promise<StateStore>;
  /** Exactly what the store declares. */
  readonly capabilities: readonly StateCapability[];
}

const bytes = (text: string) => Buffer.from(text);
const mismatch = (promise: Promise<unknown>) => expect(promise).rejects.toMatchObject({ name: 'EtagError', kind: 'mismatch' });
/** Stores may answer at once or later, and fail either way. */
const soon = async <T>(action: () => T | Promise<T>): Promise<T> => action();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What every state store does, and exactly what it declares besides. */
export function stateConformance({ name, open, capabilities }: StateConformance): void {
  describe(`${name} as a state store`, () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());
    const read = async (key: string) => (await store.get(key))?.value.toString();
    const has = (capability: StateCapability) => capabilities.includes(capability);

    it('declares what it is expected to', () => {
      expect([...store.capabilities].sort()).toEqual([...capabilities].sort());
    });

    it('gives back exactly the bytes that were stored', async () => {
      const value = Buffer.from([0, 255, 128, 10, 13, 34, 92]);
      await store.set({ key: 'app||k', value });
      expect((await store.get('app||k'))?.value.equals(value)).toBe(true);
      await store.set({ key: 'empty', value: bytes('') });
      expect((await store.get('empty'))?.value.length).toBe(0);
    });

    it('does not share memory with its caller', async () => {
      const value = bytes('first');
      await store.set({ key: 'k', value });
      value.fill('x');
      expect(await read('k')).toBe('first');
    });

    it('has nothing for a key that was never stored', async () => {
      expect(await store.get('nothing')).toBeUndefined();
    });

    it('overwrites, and tells keys apart by every character', async () => {
      await store.set({ key: 'a', value: bytes('1') });
      await store.set({ key: 'A', value: bytes('2') });
      await store.set({ key: 'a ', value: bytes('3') });
      await store.set({ key: 'é', value: bytes('4') });
      await store.set({ key: 'a', value: bytes('5') });
      expect(await Promise.all(['a', 'A', 'a ', 'é'].map(read))).toEqual(['5', '2', '3', '4']);
    });

    it('deletes, and does not mind when there is nothing to delete', async () => {
      await store.set({ key: 'k', value: bytes('1') });
      await store.delete({ key: 'k' });
      await store.delete({ key: 'k' });
      expect(await store.get('k')).toBeUndefined();
    });

    it('reads many keys in their order, absent ones as undefined', async () => {
      await store.set({ key: 'a', value: bytes('1') });
      await store.set({ key: 'c', value: bytes('3') });
      if (store.bulkGet === undefined) return;
      const entries = await store.bulkGet(['c', 'b', 'a', 'c']);
      expect(entries.map((entry) => entry?.value.toString())).toEqual(['3', undefined, '1', '3']);
    });

    it('closes twice without complaint', async () => {
      await store.close();
      await store.close();
    });

    etags();
    transactions();
    timeToLive();
    prefixes();

    function etags() {
      if (!has('ETAG')) return;

      it('changes the etag with every write', async () => {
        await store.set({ key: 'k', value: bytes('1') });
        const first = await store.get('k');
        await store.set({ key: 'k', value: bytes('1') });
        expect(first?.etag).toBeTruthy();
        expect((await store.get('k'))?.etag).not.toBe(first?.etag);
      });

      it('writes and deletes with the current etag, refuses any other and changes nothing', async () => {
        await store.set({ key: 'k', value: bytes('1') });
        const { etag } = (await store.get('k'))!;
        await store.set({ key: 'k', value: bytes('2'), etag });
        await mismatch(soon(() => store.set({ key: 'k', value: bytes('3'), etag })));
        await mismatch(soon(() => store.delete({ key: 'k', etag })));
        expect(await read('k')).toBe('2');
        await store.delete({ key: 'k', etag: (await store.get('k'))!.etag });
        expect(await store.get('k')).toBeUndefined();
      });

      it('refuses an etag for a key that is not there', async () => {
        await mismatch(soon(() => store.set({ key: 'k', value: bytes('1'), etag: 'x' })));
        await mismatch(soon(() => store.delete({ key: 'k', etag: 'x' })));
        expect(await store.get('k')).toBeUndefined();
      });

      it('takes an empty etag for none, and checks a given one with last-write too', async () => {
        await store.set({ key: 'k', value: bytes('1'), etag: '' });
        await store.set({ key: 'k', value: bytes('2'), etag: '', concurrency: 'last-write' });
        await mismatch(soon(() => store.set({ key: 'k', value: bytes('3'), etag: 'x', concurrency: 'last-write' })));
        expect(await read('k')).toBe('2');
      });

      it('lets the first write win without an etag', async () => {
        await store.set({ key: 'k', value: bytes('1'), concurrency: 'first-write' });
        await mismatch(soon(() => store.set({ key: 'k', value: bytes('2'), concurrency: 'first-write' })));
        await mismatch(soon(() => store.delete({ key: 'k', concurrency: 'first-write' })));
        expect(await read('k')).toBe('1');
      });

      it('lets exactly one of many writers with the same etag through', async () => {
        await store.set({ key: 'k', value: bytes('0') });
        const { etag } = (await store.get('k'))!;
        const writes = Array.from({ length: 20 }, (_, n) => soon(() => store.set({ key: 'k', value: bytes(`${n}`), etag })));
        const results = await Promise.allSettled(writes);
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      });
    }

    function transactions() {
      if (!has('TRANSACTIONAL')) {
        it('has no transactions', () => expect(store.transact).toBeUndefined());
        return;
      }
      const upsert = (key: string, value: string, rest = {}) => ({
        kind: 'upsert' as const,
        request: { key, value: bytes(value), ...rest },
      });
      const remove = (key: string, rest = {}) => ({ kind: 'delete' as const, request: { key, ...rest } });

      it('applies operations in order', async () => {
        await store.set({ key: 'gone', value: bytes('1') });
        await store.transact?.([upsert('a', '1'), remove('gone'), upsert('a', '2'), upsert('b', '1'), remove('b')]);
        expect(await Promise.all(['a', 'b', 'gone'].map(read))).toEqual(['2', undefined, undefined]);
      });

      it('leaves everything as it was when one operation fails', async () => {
        await store.set({ key: 'a', value: bytes('old') });
        await store.set({ key: 'b', value: bytes('old') });
        const before = (await store.get('a'))!.etag;
        await mismatch(
          soon(() => store.transact!([upsert('a', 'new'), remove('b'), upsert('c', 'new'), upsert('b', 'x', { etag: 'wrong' })])),
        );
        expect(await Promise.all(['a', 'b', 'c'].map(read))).toEqual(['old', 'old', undefined]);
        expect((await store.get('a'))?.etag).toBe(before);
        await store.set({ key: 'after', value: bytes('1') });
        expect(await read('after')).toBe('1');
      });

      it('checks etags and first-write of each operation', async () => {
        await store.set({ key: 'k', value: bytes('1') });
        const { etag } = (await store.get('k'))!;
        await store.transact?.([upsert('k', '2', { etag }), upsert('new', '1', { concurrency: 'first-write' })]);
        await mismatch(soon(() => store.transact!([upsert('new', '2', { concurrency: 'first-write' })])));
        await mismatch(soon(() => store.transact!([remove('k', { etag })])));
        expect(await Promise.all(['k', 'new'].map(read))).toEqual(['2', '1']);
      });
    }

    function timeToLive() {
      if (!has('TTL')) return;

      it('expires an entry when its time is over, for every kind of access', async () => {
        await store.set({ key: 'k', value: bytes('1'), ttlSeconds: 1 });
        const entry = (await store.get('k'))!;
        expect(entry.expiresAtMs).toBeGreaterThan(Date.now() - 1);
        expect(entry.expiresAtMs).toBeLessThanOrEqual(Date.now() + 1000);
        await sleep(1100);
        expect(await store.get('k')).toBeUndefined();
        expect((await store.bulkGet?.(['k'])) ?? [undefined]).toEqual([undefined]);
        if (has('ETAG')) {
          await mismatch(soon(() => store.set({ key: 'k', value: bytes('2'), etag: entry.etag })));
          await store.set({ key: 'k', value: bytes('2'), concurrency: 'first-write' });
          expect(await read('k')).toBe('2');
        }
      });

      it('keeps an entry for ever that is written again without a time', async () => {
        await store.set({ key: 'k', value: bytes('1'), ttlSeconds: 1 });
        await store.set({ key: 'k', value: bytes('2') });
        expect((await store.get('k'))?.expiresAtMs).toBeUndefined();
        await store.set({ key: 'z', value: bytes('1'), ttlSeconds: 0 });
        await store.set({ key: 'n', value: bytes('1'), ttlSeconds: -1 });
        expect((await store.get('z'))?.expiresAtMs).toBeUndefined();
        expect((await store.get('n'))?.expiresAtMs).toBeUndefined();
      });
    }

    function prefixes() {
      if (!has('DELETE_WITH_PREFIX')) {
        it('has no delete by prefix', () => expect(store.deleteWithPrefix).toBeUndefined());
        return;
      }

      it('deletes what stands directly under a prefix', async () => {
        for (const key of ['a||b||1', 'a||b||2', 'a||b||c||3', 'a||bb||1']) await store.set({ key, value: bytes('1') });
        expect(await store.deleteWithPrefix?.('a||b||')).toBe(2);
        expect(await Promise.all(['a||b||1', 'a||b||c||3', 'a||bb||1'].map(read))).toEqual([undefined, '1', '1']);
      });
    }
  });
}
