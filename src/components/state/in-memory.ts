import { randomUUID } from 'node:crypto';
import type { ComponentFactory } from '../../blocks/component.js';
import {
  type DeleteRequest,
  EtagError,
  type SetRequest,
  type StateCapability,
  type StateEntry,
  type StateStore,
  type TransactionOperation,
} from '../../blocks/state/contract.js';

/** It has no options: Dapr's store has none either. */
const SWEEP_INTERVAL_MS = 1_000;
/** Most entries that one sweep looks at, so that a large store never holds up a request. */
const SWEEP_LIMIT = 10_000;

/** State of this process only: gone when it ends, unseen by other sidecars. For tests and development. */
export const createInMemoryStore: ComponentFactory<StateStore> = async () => inMemoryStore(Date.now);

/** @param now milliseconds since the epoch */
export function inMemoryStore(now: () => number): StateStore & { readonly size: number } {
  const entries = new Map<string, StateEntry>();
  // Random, then counted: unique without a random number for every write.
  const etagBase = randomUUID().slice(0, 13);
  let writes = 0;

  const live = (key: string): StateEntry | undefined => {
    const entry = entries.get(key);
    if (entry?.expiresAtMs === undefined || entry.expiresAtMs > now()) return entry;
    entries.delete(key);
    return undefined;
  };
  const check = ({ key, etag, concurrency }: SetRequest | DeleteRequest): void => {
    if (etag) {
      if (live(key)?.etag !== etag) throw new EtagError('mismatch', key, `the etag of ${key} is not ${etag}`);
    } else if (concurrency === 'first-write' && live(key)) {
      throw new EtagError('mismatch', key, `${key} exists already and no etag was given`);
    }
  };
  const put = ({ key, value, ttlSeconds = 0 }: SetRequest): void => {
    writes += 1;
    const expiresAtMs = ttlSeconds > 0 ? now() + ttlSeconds * 1000 : undefined;
    entries.set(key, { value: keep(value), etag: `${etagBase}-${writes}`, expiresAtMs });
  };

  let sweep = entries.entries();
  const timer = setInterval(() => {
    for (let looked = 0; looked < SWEEP_LIMIT; looked++) {
      const next = sweep.next();
      if (next.done) {
        sweep = entries.entries();
        return;
      }
      live(next.value[0]);
    }
  }, SWEEP_INTERVAL_MS);
  timer.unref();

  return {
    capabilities: CAPABILITIES,
    get size() {
      return entries.size;
    },
    get: live,
    set(request) {
      check(request);
      put(request);
    },
    delete(request) {
      check(request);
      entries.delete(request.key);
    },
    bulkGet: (keys) => keys.map(live),
    transact(operations: readonly TransactionOperation[]) {
      const undo = new Map<string, StateEntry | undefined>();
      try {
        for (const { kind, request } of operations) {
          if (!undo.has(request.key)) undo.set(request.key, entries.get(request.key));
          check(request);
          if (kind === 'upsert') put(request);
          else entries.delete(request.key);
        }
      } catch (error) {
        for (const [key, entry] of undo) {
          if (entry) entries.set(key, entry);
          else entries.delete(key);
        }
        throw error;
      }
    },
    deleteWithPrefix(prefix) {
      let count = 0;
      for (const key of entries.keys()) {
        if (!underPrefix(key, prefix)) continue;
        entries.delete(key);
        count += 1;
      }
      return count;
    },
    async close() {
      clearInterval(timer);
      entries.clear();
    },
  };
}

const CAPABILITIES: readonly StateCapability[] = ['ETAG', 'TRANSACTIONAL', 'TTL', 'DELETE_WITH_PREFIX'];

/** Own memory: a small slice of a request's buffer would keep the whole buffer. */
function keep(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}

/** Only keys directly under the prefix, as Dapr does: what follows holds no further separator. */
function underPrefix(key: string, prefix: string): boolean {
  return key.startsWith(prefix) && !key.includes('||', prefix.length);
}
