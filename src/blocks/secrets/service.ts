import { AppError } from '../../errors.js';
import { type Caller, componentFor } from '../caller.js';
import type { ComponentHost, HostedComponent } from '../component-host.js';
import type { SecretMetadata, SecretValues } from './contract.js';
import { mayRead, type SecretScope } from './scopes.js';

/** Secrets without a transport (reference §1.6, §3.7). Everything throws AppErrors only. */
export interface SecretService {
  get(store: string, name: string, metadata: SecretMetadata, caller?: Caller): Promise<SecretValues>;
  /** Those that the app may read. */
  getAll(store: string, metadata: SecretMetadata, caller?: Caller): Promise<Readonly<Record<string, SecretValues>>>;
}

export interface SecretServiceOptions {
  readonly host: Pick<ComponentHost, 'secrets' | 'all'>;
  /** As the Configuration says now. */
  readonly scopes: () => readonly SecretScope[] | undefined;
}

/** @returns the service for one app */
export function createSecretService({ host, scopes }: SecretServiceOptions): SecretService {
  const find = (name: string): HostedComponent<'secrets'> => {
    if (host.all('secrets').length === 0) throw new AppError('secretStoreNotConfigured');
    const store = host.secrets(name);
    if (!store) throw new AppError('secretStoreNotFound', { name });
    return store;
  };
  return {
    async get(name, key, metadata, caller) {
      const store = find(name);
      // Before the store is asked: a denial must not tell whether there is such a secret.
      if (!mayRead(scopes(), name, key)) throw new AppError('secretDenied', { name, key });
      try {
        return await store.slot.track(componentFor(store, caller).get(key, metadata));
      } catch (error) {
        throw new AppError('secretGet', { name, key }, error);
      }
    },
    async getAll(name, metadata, caller) {
      const store = find(name);
      try {
        const all = await store.slot.track(componentFor(store, caller).getAll(metadata));
        const rules = scopes();
        return Object.fromEntries(Object.entries(all).filter(([key]) => mayRead(rules, name, key)));
      } catch (error) {
        throw new AppError('secretGetAll', { name }, error);
      }
    },
  };
}
