import type { SecretStore } from './contract.js';

/** Follows the secret stores that somebody has taken secrets of, as far as they can be followed. */
export class SecretWatch {
  readonly #onChange: (store: string) => void;
  readonly #followed = new Map<SecretStore, () => void>();

  /** @param onChange told the name of a store whose secrets may be others now */
  constructor(onChange: (store: string) => void) {
    this.#onChange = onChange;
  }

  /** Follows these stores, by name, and no others. */
  follow(stores: ReadonlyMap<string, SecretStore>): void {
    const wanted = new Set(stores.values());
    for (const [store, stop] of this.#followed) {
      if (wanted.has(store)) continue;
      stop();
      this.#followed.delete(store);
    }
    for (const [name, store] of stores) {
      if (this.#followed.has(store) || !store.watch) continue;
      this.#followed.set(
        store,
        store.watch(() => this.#onChange(name)),
      );
    }
  }

  close(): void {
    this.follow(new Map());
  }
}
