import type { LoadedComponent } from '../component.js';

/** Names as the metadata API shows them (reference §1.8, §6). */
export type StateCapability = 'ETAG' | 'TRANSACTIONAL' | 'TTL' | 'QUERY_API' | 'DELETE_WITH_PREFIX' | 'KEYS_LIKE';

export interface StateEntry {
  /** Exactly the bytes that were stored. */
  readonly value: Buffer;
  readonly etag: string;
  /** When the entry ends, milliseconds since the epoch; undefined: never. */
  readonly expiresAtMs?: number;
}

export type Consistency = 'eventual' | 'strong';
export type Concurrency = 'first-write' | 'last-write';

export interface SetRequest {
  /** Full key, prefix included. */
  readonly key: string;
  readonly value: Buffer;
  /** Undefined or empty: no check. */
  readonly etag?: string;
  /** `first-write` without an etag fails on an existing key (reference §6). */
  readonly concurrency?: Concurrency;
  readonly consistency?: Consistency;
  /** Seconds; undefined or <= 0: kept for ever. */
  readonly ttlSeconds?: number;
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface DeleteRequest {
  readonly key: string;
  readonly etag?: string;
  readonly concurrency?: Concurrency;
  readonly consistency?: Consistency;
  readonly metadata?: Readonly<Record<string, string>>;
}

export type TransactionOperation =
  | { readonly kind: 'upsert'; readonly request: SetRequest }
  | { readonly kind: 'delete'; readonly request: DeleteRequest };

export interface GetOptions {
  readonly consistency?: Consistency;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A value now or soon: an in-memory store must not pay for a promise on the hot path. */
export type MaybePromise<T> = T | Promise<T>;

/** The port that a state store implements. Required: get, set, delete. The rest is declared in `capabilities` or optional speed. */
export interface StateStore extends LoadedComponent {
  readonly capabilities: readonly StateCapability[];
  /** Most operations in one transaction; undefined: no limit. */
  readonly maxTransactionOperations?: number;
  /** @returns undefined when the key is absent or expired */
  get(key: string, options?: GetOptions): MaybePromise<StateEntry | undefined>;
  /** @throws EtagError */
  set(request: SetRequest): MaybePromise<void>;
  /** An absent key without etag is not an error. @throws EtagError */
  delete(request: DeleteRequest): MaybePromise<void>;
  /** Same order as `keys`; absent keys are undefined. Default: one `get` a key. */
  bulkGet?(keys: readonly string[], options?: GetOptions): MaybePromise<readonly (StateEntry | undefined)[]>;
  /** All or nothing, in order. Present exactly when TRANSACTIONAL is declared. @throws EtagError */
  transact?(operations: readonly TransactionOperation[], metadata?: Readonly<Record<string, string>>): MaybePromise<void>;
  /** Present exactly when DELETE_WITH_PREFIX is declared. @returns how many went */
  deleteWithPrefix?(prefix: string): MaybePromise<number>;
}

/** `mismatch`: someone else wrote first; `invalid`: not an etag that this store can have made. */
export class EtagError extends Error {
  override readonly name = 'EtagError';
  constructor(
    readonly kind: 'mismatch' | 'invalid',
    readonly key: string,
    message = kind === 'mismatch' ? 'possible etag mismatch' : 'invalid etag value',
  ) {
    super(message);
  }
}
