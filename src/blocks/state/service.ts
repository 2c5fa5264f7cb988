import { AppError, type ErrorName, messageOf } from '../../errors.js';
import { type Caller, componentFor } from '../caller.js';
import type { ComponentHost, HostedComponent } from '../component-host.js';
import { type BulkEntry, type BulkGetRequest, bulkGet } from './bulk-get.js';
import { EtagError, type MaybePromise, type StateEntry, type TransactionOperation } from './contract.js';
import { checkKey, keyPrefix } from './keys.js';
import { parseConcurrency, parseConsistency, parseTtl } from './options.js';
import { runAll } from './run-all.js';

export type { BulkEntry, BulkGetRequest } from './bulk-get.js';

type Metadata = Readonly<Record<string, string>>;

/** A key as an API got it: words unchecked, key without prefix. */
export interface DeleteItem {
  readonly key: string;
  readonly etag?: string | undefined;
  readonly concurrency?: string | undefined;
  readonly consistency?: string | undefined;
  readonly metadata?: Metadata | undefined;
}

export interface SaveItem extends DeleteItem {
  /** Stored as they are. */
  readonly value: Buffer;
  readonly contentType?: string | undefined;
}

export type TransactionItem =
  | { readonly operation: 'upsert'; readonly item: SaveItem }
  | { readonly operation: 'delete'; readonly item: DeleteItem };

type GetOptions = Pick<DeleteItem, 'consistency' | 'metadata'>;

/**
 * State without a transport: the same rules for HTTP, gRPC and whoever else calls. Everything throws AppErrors only. Once `caller` waits no
 * more, nothing is tried again.
 */
export interface StateService {
  /** @returns undefined when the key is absent; at once when the store answers at once */
  get(store: string, key: string, options?: GetOptions, caller?: Caller): MaybePromise<StateEntry | undefined>;
  /** Not a transaction: each item is tried, the error tells about all that failed. */
  save(store: string, items: readonly SaveItem[], caller?: Caller): MaybePromise<void>;
  delete(store: string, item: DeleteItem, caller?: Caller): MaybePromise<void>;
  deleteBulk(store: string, items: readonly DeleteItem[], caller?: Caller): MaybePromise<void>;
  /** @returns one entry a key, in the order of the keys */
  bulkGet(store: string, request: BulkGetRequest, caller?: Caller): MaybePromise<readonly BulkEntry[]>;
  transact(store: string, items: readonly TransactionItem[], metadata?: Metadata, caller?: Caller): MaybePromise<void>;
}

export interface StateServiceOptions {
  readonly host: Pick<ComponentHost, 'state' | 'all'>;
  readonly appId: string;
  /** As `NAMESPACE` says; undefined: it is not set, which the `namespace` key prefix asks for. */
  readonly namespace?: string | undefined;
  /** Milliseconds since the epoch. Default: the wall clock. */
  readonly now?: () => number;
}

type Store = HostedComponent<'state'>;

/** @returns the service for one app */
export function createStateService(options: StateServiceOptions): StateService {
  return new Service(options);
}

class Service implements StateService {
  readonly #options: StateServiceOptions;
  readonly #now: () => number;
  readonly #prefixes = new WeakMap<Store, string>();

  constructor(options: StateServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get(name: string, key: string, options?: GetOptions, caller?: Caller): MaybePromise<StateEntry | undefined> {
    const store = this.#store(name);
    const fullKey = this.#key(store, key);
    const storeOptions = options && { consistency: parseConsistency(options.consistency), metadata: options.metadata };
    try {
      const result = componentFor(store, caller).get(fullKey, storeOptions);
      // An entry that is there at once pays for no promise and no closure.
      if (!(result instanceof Promise)) return result;
      store.slot.track(result);
      return result.catch(rethrow((error) => storeError('stateGet', error, { name, key })));
    } catch (error) {
      throw storeError('stateGet', error, { name, key });
    }
  }

  save(name: string, items: readonly SaveItem[], caller?: Caller): MaybePromise<void> {
    const store = this.#store(name);
    const component = componentFor(store, caller);
    const requests = items.map((item) => this.#setRequest(store, item));
    return attempt(
      () => store.slot.track(runAll(requests, (request) => component.set(request))),
      (error) => storeError('stateSave', error, { name }),
    );
  }

  delete(name: string, item: DeleteItem, caller?: Caller): MaybePromise<void> {
    const store = this.#store(name);
    const request = this.#deleteRequest(store, item);
    return attempt(
      () => store.slot.track(componentFor(store, caller).delete(request)),
      (error) => storeError('stateDelete', error, { name, key: item.key }),
    );
  }

  deleteBulk(name: string, items: readonly DeleteItem[], caller?: Caller): MaybePromise<void> {
    const store = this.#store(name);
    const component = componentFor(store, caller);
    const requests = items.map((item) => this.#deleteRequest(store, item));
    return attempt(
      () => store.slot.track(runAll(requests, (request) => component.delete(request))),
      (error) => storeError('stateDeleteBulk', error, { name }),
    );
  }

  bulkGet(name: string, request: BulkGetRequest, caller?: Caller): MaybePromise<readonly BulkEntry[]> {
    const store = this.#store(name);
    const fullKeys = request.keys.map((key) => this.#key(store, key));
    return attempt(
      () => store.slot.track(bulkGet(componentFor(store, caller), fullKeys, request)),
      (error) => storeError('stateBulkGet', error, { name }),
    );
  }

  transact(name: string, items: readonly TransactionItem[], metadata?: Metadata, caller?: Caller): MaybePromise<void> {
    const store = this.#store(name);
    const component = componentFor(store, caller);
    if (component.transact === undefined) throw new AppError('stateTransactionsNotSupported', { name });
    const operations = items.map((item) => this.#operation(store, item));
    if (operations.length === 0) return undefined;
    const max = component.maxTransactionOperations;
    if (max !== undefined && operations.length > max)
      throw new AppError('stateTooManyTransactions', { name, count: String(operations.length), max: String(max) });
    return attempt(
      () => store.slot.track(component.transact?.(operations, metadata)),
      // Inside a transaction every failure is a plain 500, a wrong etag too (reference §1.4).
      (error) => new AppError('stateTransaction', { name, err: etagText(error) ?? messageOf(error) }, error),
    );
  }

  #store(name: string): Store {
    const store = this.#options.host.state(name);
    if (store !== undefined) return store;
    const { host, appId } = this.#options;
    throw new AppError(host.all('state').length === 0 ? 'stateStoreNotConfigured' : 'stateStoreNotFound', { name, appId });
  }

  #key(store: Store, key: string): string {
    checkKey(key, store.name);
    let prefix = this.#prefixes.get(store);
    if (prefix === undefined) {
      prefix = keyPrefix(store.spec, this.#options);
      this.#prefixes.set(store, prefix);
    }
    return prefix + key;
  }

  #deleteRequest(store: Store, item: DeleteItem) {
    return {
      key: this.#key(store, item.key),
      etag: item.etag,
      concurrency: parseConcurrency(item.concurrency),
      consistency: parseConsistency(item.consistency),
      metadata: item.metadata,
    };
  }

  #setRequest(store: Store, item: SaveItem) {
    const ttlSeconds = parseTtl(item.metadata, this.#now());
    if (ttlSeconds !== undefined && !store.component.capabilities.includes('TTL'))
      throw new AppError('stateMalformedRequest', {
        err: `state store ${store.name} cannot expire entries; leave ttlInSeconds out`,
      });
    // Written out: a spread here is dear on every save.
    return {
      key: this.#key(store, item.key),
      value: item.value,
      etag: item.etag,
      concurrency: parseConcurrency(item.concurrency),
      consistency: parseConsistency(item.consistency),
      ttlSeconds,
      contentType: item.contentType,
      metadata: item.metadata,
    };
  }

  #operation(store: Store, { operation, item }: TransactionItem): TransactionOperation {
    return operation === 'upsert'
      ? { kind: 'upsert', request: this.#setRequest(store, item) }
      : { kind: 'delete', request: this.#deleteRequest(store, item) };
  }
}

/** Runs `action`, giving what it throws now or later as `failed` puts it. */
function attempt<T>(action: () => MaybePromise<T>, failed: (error: unknown) => AppError): MaybePromise<T> {
  try {
    const result = action();
    return result instanceof Promise ? result.catch(rethrow(failed)) : result;
  } catch (error) {
    throw failed(error);
  }
}

const rethrow = (failed: (error: unknown) => AppError) => (error: unknown) => {
  throw failed(error);
};

const ETAG_ROWS = {
  stateSave: { mismatch: 'stateSaveEtagMismatch', invalid: 'stateSaveEtagInvalid' },
  stateDelete: { mismatch: 'stateDeleteEtagMismatch', invalid: 'stateDeleteEtagInvalid' },
  stateDeleteBulk: { mismatch: 'stateDeleteBulkEtagMismatch', invalid: 'stateDeleteBulkEtagInvalid' },
} as const satisfies Partial<Record<ErrorName, Record<EtagError['kind'], ErrorName>>>;

function storeError(row: ErrorName, error: unknown, meta: Record<string, string>): AppError {
  if (error instanceof AppError) return error;
  const byEtag =
    error instanceof EtagError && row in ETAG_ROWS ? ETAG_ROWS[row as keyof typeof ETAG_ROWS][error.kind] : undefined;
  return new AppError(byEtag ?? row, { ...meta, err: messageOf(error) }, error);
}

function etagText(error: unknown): string | undefined {
  if (!(error instanceof EtagError)) return undefined;
  return error.kind === 'mismatch'
    ? `possible etag mismatch. error from state store: ${error.message}`
    : `invalid etag value: ${error.message}`;
}
