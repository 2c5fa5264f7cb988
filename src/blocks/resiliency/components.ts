import type { Caller } from '../caller.js';
import type { PublishRequest, PubSub } from '../pubsub/contract.js';
import type { SecretStore } from '../secrets/contract.js';
import { EtagError, type StateStore } from '../state/contract.js';
import type { Policy } from './policy.js';

/** Components whose calls run under a policy. Built only where there is one: without it the component itself is called. */

const RUN_STATE = { isCallersFault: (error: unknown) => error instanceof EtagError };

/** Until when something is tried again. */
export interface WhileWanted {
  /** Aborted when the component is replaced: nothing is tried again on a closed one. */
  readonly signal: AbortSignal;
  readonly caller?: Caller | undefined;
}

export function resilientStore(store: StateStore, policy: Policy, wanted: WhileWanted): StateStore {
  const options = { ...RUN_STATE, ...wanted };
  const run = <T>(call: () => T | Promise<T>): Promise<T> => policy.run(call, options);
  const { bulkGet, transact, deleteWithPrefix, maxTransactionOperations } = store;
  return {
    capabilities: store.capabilities,
    ...(maxTransactionOperations === undefined ? {} : { maxTransactionOperations }),
    get: (key, options) => run(() => store.get(key, options)),
    set: (request) => run(() => store.set(request)),
    delete: (request) => run(() => store.delete(request)),
    ...(bulkGet ? { bulkGet: (keys, options) => run(() => bulkGet.call(store, keys, options)) } : {}),
    ...(transact ? { transact: (operations, metadata) => run(() => transact.call(store, operations, metadata)) } : {}),
    ...(deleteWithPrefix ? { deleteWithPrefix: (prefix) => run(() => deleteWithPrefix.call(store, prefix)) } : {}),
    close: () => store.close(),
  } satisfies StateStore;
}

/** Publishing runs under the policy; what the broker brings is the inbound policy's (see ../pubsub/delivery.ts). */
export function resilientPubSub(broker: PubSub, policy: Policy, wanted: WhileWanted): PubSub {
  const { bulkPublish } = broker;
  return {
    capabilities: broker.capabilities,
    publish: (request) => policy.run(() => broker.publish(request), wanted),
    ...(bulkPublish ? { bulkPublish: retriedBulk(broker, bulkPublish, policy, wanted) } : {}),
    subscribe: (request, handler) => broker.subscribe(request, handler),
    close: () => broker.close(),
  } satisfies PubSub;
}

export function resilientSecrets(store: SecretStore, policy: Policy, wanted: WhileWanted): SecretStore {
  return {
    capabilities: store.capabilities,
    get: (name, metadata) => policy.run(() => store.get(name, metadata), wanted),
    getAll: (metadata) => policy.run(() => store.getAll(metadata), wanted),
    close: () => store.close(),
  } satisfies SecretStore;
}

type BulkPublish = NonNullable<PubSub['bulkPublish']>;

class PartFailed extends Error {}

/** What the broker has taken is not published again. */
function retriedBulk(broker: PubSub, bulkPublish: BulkPublish, policy: Policy, wanted: WhileWanted): BulkPublish {
  return async (requests) => {
    let open = requests.map((_, index) => index);
    let failures: Awaited<ReturnType<BulkPublish>> = [];
    const run = async () => {
      const tried = open;
      const failed = await bulkPublish.call(
        broker,
        tried.map((index) => requests[index] as PublishRequest),
      );
      failures = failed.map(({ index, error }) => ({ index: tried[index] ?? index, error }));
      open = failures.map(({ index }) => index);
      if (open.length > 0) throw new PartFailed(failures[0]?.error);
    };
    try {
      await policy.run(run, wanted);
    } catch (error) {
      if (!(error instanceof PartFailed)) throw error;
    }
    return failures;
  };
}
