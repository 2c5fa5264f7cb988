import { AppError } from '../../errors.js';
import { type Caller, componentFor } from '../caller.js';
import type { HostedComponent } from '../component-loader.js';
import type { StateEntry, TransactionOperation } from '../state/contract.js';
import { type ActorIdentity, actorKey } from './table.js';

export interface ActorStateOperation {
  readonly operation: string;
  readonly key: string;
  readonly value?: Buffer;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The state of actors (reference §1.7, §6). Values are the bytes that were stored. */
export interface ActorState {
  /** @returns undefined when the key is absent @throws AppError */
  get(actor: ActorIdentity, key: string, caller?: Caller): Promise<StateEntry | undefined>;
  /** All or nothing; only an actor that is active on this host may write. @throws AppError */
  transact(actor: ActorIdentity, operations: readonly ActorStateOperation[], caller?: Caller): Promise<void>;
}

/** The store as it is called, and what keeps it open meanwhile. */
export type ActorStore = Pick<HostedComponent<'state'>, 'component' | 'forCaller' | 'slot'>;

export interface ActorStateDeps {
  readonly appId: string;
  /** The one component with `actorStateStore: "true"`; asked for each call, because it may be replaced. */
  readonly store: () => ActorStore | undefined;
  readonly isActive: (actor: ActorIdentity) => boolean;
  /** Whether the Configuration has the feature `ActorStateTTL`. */
  readonly ttlEnabled: () => boolean;
}

/** @returns the service behind the actor state routes and methods */
export function createActorState(deps: ActorStateDeps): ActorState {
  const storeInForce = (): ActorStore => {
    const store = deps.store();
    if (!store) throw new AppError('actorRuntimeNotFound');
    return store;
  };
  const prefixOf = (actor: ActorIdentity) => `${deps.appId}||${actorKey(actor)}`;

  return {
    async get(actor, key, caller) {
      const store = storeInForce();
      const prefix = prefixOf(actor);
      try {
        const component = componentFor(store, caller);
        return await store.slot.track(component.get(`${prefix}||${key}`, { metadata: { partitionKey: prefix } }));
      } catch (error) {
        throw new AppError('actorStateGet', {}, error);
      }
    },
    async transact(actor, operations, caller) {
      if (!deps.isActive(actor)) throw new AppError('actorInstanceMissing');
      const hosted = storeInForce();
      const store = componentFor(hosted, caller);
      if (!store.transact || !store.capabilities.includes('ETAG'))
        throw new AppError('actorStateTransaction', { err: 'the actor state store needs etags and transactions' });
      const limit = store.maxTransactionOperations ?? Number.POSITIVE_INFINITY;
      if (operations.length > limit)
        throw new AppError('actorStateTransaction', { err: `${operations.length} operations; the store takes ${limit}` });
      const prefix = prefixOf(actor);
      const compiled = operations.map((operation) => compile(operation, prefix, deps.ttlEnabled()));
      if (compiled.length === 0) return;
      try {
        await hosted.slot.track(store.transact(compiled, { partitionKey: prefix }));
      } catch (error) {
        throw new AppError('actorStateTransaction', {}, error);
      }
    },
  };
}

function compile(operation: ActorStateOperation, prefix: string, ttlEnabled: boolean): TransactionOperation {
  if (operation.key === '') throw new AppError('actorStateTransaction', { err: 'missing key' });
  const key = `${prefix}||${operation.key}`;
  const metadata = { ...operation.metadata, partitionKey: prefix };
  if (operation.operation === 'delete') return { kind: 'delete', request: { key, metadata } };
  if (operation.operation !== 'upsert')
    throw new AppError('actorStateTransaction', { err: `operation type ${operation.operation} not supported` });
  const ttlSeconds = ttlOf(operation.metadata, ttlEnabled);
  return { kind: 'upsert', request: { key, value: operation.value ?? Buffer.alloc(0), metadata, ttlSeconds } };
}

function ttlOf(metadata: Readonly<Record<string, string>> | undefined, enabled: boolean): number | undefined {
  const text = metadata?.ttlInSeconds;
  if (text === undefined) return undefined;
  if (!enabled)
    throw new AppError('actorStateTransaction', {
      err: 'ttlInSeconds is not supported without the "ActorStateTTL" feature enabled',
    });
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw new AppError('actorStateTransaction', { err: `ttlInSeconds ${JSON.stringify(text)} is not a number of seconds` });
  return Number(text);
}
