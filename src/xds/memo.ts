/** Remembers what was made of equal inputs, until nobody asks for it any more. */
export interface Memo<T> {
  /**
   * @param identities must be the same objects as when the value was made
   * @param signature must be the same text
   */
  get(identities: readonly object[], signature: string, make: () => T): T;
  /** Forgets what was not asked for since the last sweep. */
  sweep(): void;
}

interface Entry<T> {
  readonly identities: readonly object[];
  readonly value: T;
}

export function createMemo<T>(): Memo<T> {
  let fresh = new Map<string, Entry<T>>();
  let old = new Map<string, Entry<T>>();
  return {
    get(identities, signature, make) {
      const known = fresh.get(signature) ?? old.get(signature);
      const same =
        known?.identities.length === identities.length && known.identities.every((it, index) => it === identities[index]);
      const entry = known && same ? known : { identities, value: make() };
      fresh.set(signature, entry);
      return entry.value;
    },
    sweep() {
      if (fresh.size === 0) return;
      old = fresh;
      fresh = new Map();
    },
  };
}
