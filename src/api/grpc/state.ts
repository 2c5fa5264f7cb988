import type { StateEntry } from '../../blocks/state/contract.js';
import type { BulkEntry, DeleteItem, SaveItem, StateService, TransactionItem } from '../../blocks/state/service.js';
import { AppError } from '../../errors.js';
import {
  StateOptions_StateConcurrency as Concurrency,
  StateOptions_StateConsistency as Consistency,
  type StateItem,
  type StateOptions,
} from '../../gen/dapr/proto/common/v1/common.js';
import type { TransactionalStateOperation } from '../../gen/dapr/proto/runtime/v1/state.js';
import { rawJson } from '../../lib/raw-json.js';
import { expireTime } from '../expire-time.js';
import { callerOf } from './caller.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

/** The state API over gRPC (reference §3.5). */
export function stateMethods(service: StateService): DaprMethods {
  return {
    getState: unary(({ storeName, key, consistency, metadata }, call) => {
      const options = { consistency: consistencyWord(consistency), metadata };
      const entry = service.get(storeName, key, options, callerOf(call));
      return entry instanceof Promise ? entry.then(getResponse) : getResponse(entry);
    }),
    getBulkState: unary(({ storeName, keys, parallelism, metadata }, call) => {
      const entries = service.bulkGet(storeName, { keys, parallelism, metadata }, callerOf(call));
      const items = (found: readonly BulkEntry[]) => ({ items: found.map(bulkItem) });
      return entries instanceof Promise ? entries.then(items) : items(entries);
    }),
    saveState: unary(({ storeName, states }, call) => empty(service.save(storeName, states.map(saveItem), callerOf(call)))),
    deleteState: unary((request, call) => empty(service.delete(request.storeName, deleteItem(request), callerOf(call)))),
    deleteBulkState: unary(({ storeName, states }, call) =>
      empty(service.deleteBulk(storeName, states.map(deleteItem), callerOf(call))),
    ),
    executeStateTransaction: unary(({ storeName, operations, metadata }, call) =>
      empty(service.transact(storeName, operations.map(transactionItem), metadata, callerOf(call))),
    ),
  };
}

function empty(done: void | Promise<void>): Record<string, never> | Promise<Record<string, never>> {
  return done instanceof Promise ? done.then(() => ({})) : {};
}

const NOTHING = Buffer.alloc(0);

/** An absent key is no error: data and etag are empty. */
function getResponse(entry: StateEntry | undefined) {
  return { data: entry?.value ?? NOTHING, etag: entry?.etag ?? '', metadata: metadataOf(entry) };
}

function bulkItem({ key, entry, error = '' }: BulkEntry) {
  return { key, error, ...getResponse(entry) };
}

function metadataOf(entry: StateEntry | undefined): Record<string, string> {
  return entry?.expiresAtMs === undefined ? {} : { ttlExpireTime: expireTime(entry.expiresAtMs) };
}

type ItemWithoutValue = Pick<StateItem, 'key' | 'etag' | 'options' | 'metadata'>;

function deleteItem({ key, etag, options, metadata }: ItemWithoutValue): DeleteItem {
  return { key, etag: etag?.value, metadata, ...optionWords(options) };
}

function saveItem(item: StateItem): SaveItem {
  const { contentType } = item.metadata;
  // Asked to be JSON, so it must be; its bytes stay as they came all the same.
  if (contentType === 'application/json') checkJson(item);
  return { ...deleteItem(item), value: item.value, contentType };
}

function checkJson({ key, value }: StateItem): void {
  try {
    rawJson(value);
  } catch (error) {
    throw new AppError('stateMalformedRequest', { err: `the value of ${key} is not JSON: ${error}` });
  }
}

function transactionItem({ operationType, request }: TransactionalStateOperation): TransactionItem {
  if (request === undefined) throw new AppError('stateMalformedRequest', { err: `operation ${operationType} has no request` });
  if (operationType === 'upsert') return { operation: 'upsert', item: saveItem(request) };
  if (operationType === 'delete') return { operation: 'delete', item: deleteItem(request) };
  throw new AppError('stateOperationNotSupported', { operation: operationType });
}

function optionWords(options: StateOptions | undefined): Pick<DeleteItem, 'concurrency' | 'consistency'> {
  if (options === undefined) return {};
  return { concurrency: concurrencyWord(options.concurrency), consistency: consistencyWord(options.consistency) };
}

function concurrencyWord(value: Concurrency): string {
  if (value === Concurrency.CONCURRENCY_UNSPECIFIED) return '';
  if (value === Concurrency.CONCURRENCY_FIRST_WRITE) return 'first-write';
  return value === Concurrency.CONCURRENCY_LAST_WRITE ? 'last-write' : String(value);
}

function consistencyWord(value: Consistency): string {
  if (value === Consistency.CONSISTENCY_UNSPECIFIED) return '';
  if (value === Consistency.CONSISTENCY_EVENTUAL) return 'eventual';
  return value === Consistency.CONSISTENCY_STRONG ? 'strong' : String(value);
}
