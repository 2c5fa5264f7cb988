import { messageOf } from '../../errors.js';
import type { MaybePromise, StateEntry, StateStore } from './contract.js';
import { MAX_PARALLEL } from './run-all.js';

export interface BulkGetRequest {
  readonly keys: readonly string[];
  /** Reads at a time where the store has no bulk read; undefined, zero or less: as many as are allowed at all. */
  readonly parallelism?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** What became of one key of a bulk read: an entry, an error, or neither when the key is absent. */
export interface BulkEntry {
  /** As the client wrote it, without prefix. */
  readonly key: string;
  readonly entry?: StateEntry | undefined;
  readonly error?: string;
}

/** Reads every key, by the store's own bulk read where it has one. One key's failure is that key's alone where keys are read one by one. */
export function bulkGet(
  store: StateStore,
  fullKeys: readonly string[],
  request: BulkGetRequest,
): MaybePromise<readonly BulkEntry[]> {
  const { keys, metadata } = request;
  if (keys.length === 0) return [];
  const options = metadata && { metadata };
  if (store.bulkGet) {
    const named = (entries: readonly (StateEntry | undefined)[]) => keys.map((key, index) => ({ key, entry: entries[index] }));
    const result = store.bulkGet(fullKeys, options);
    return result instanceof Promise ? result.then(named) : named(result);
  }
  return oneByOne(store, fullKeys, request);
}

async function oneByOne(store: StateStore, fullKeys: readonly string[], request: BulkGetRequest): Promise<readonly BulkEntry[]> {
  const { keys, metadata, parallelism = 0 } = request;
  const results: BulkEntry[] = keys.map((key) => ({ key }));
  const queue = keys.entries();
  const worker = async () => {
    for (const [index, key] of queue) {
      try {
        results[index] = { key, entry: await store.get(fullKeys[index] ?? key, metadata && { metadata }) };
      } catch (error) {
        results[index] = { key, error: messageOf(error) };
      }
    }
  };
  const width = parallelism > 0 ? Math.min(parallelism, MAX_PARALLEL) : MAX_PARALLEL;
  await Promise.all(Array.from({ length: Math.min(width, keys.length) }, worker));
  return results;
}
