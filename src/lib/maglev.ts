import loadXxhash from 'xxhash-wasm';

/** Envoy's default table size; a prime, as the algorithm needs. */
export const MAGLEV_TABLE_SIZE = 65_537;
const FREE = 0xffff;

/** Envoy's MAGLEV choice for one set of hosts: the same key always gives the host that Envoy picks. */
export interface MaglevTable {
  /** @returns the host that owns `key`, one of those the table was made for */
  owner(key: string): string;
}

/** @returns the table of `hosts`, in any order, at least one. The 128 KiB behind it are filled on the first look-up. */
export type MaglevBuilder = (hosts: readonly string[]) => MaglevTable;

/**
 * Loads the hash and gives the builder. The algorithm is listing 1 of the Maglev paper as Envoy has it for hosts without
 * weights: hosts sorted by the bytes of their hash key, `offset` and `skip` from xxHash64 with seeds 0 and 1, slots taken in turn.
 */
export async function loadMaglev(): Promise<MaglevBuilder> {
  const { h64 } = await loadXxhash();
  const size = BigInt(MAGLEV_TABLE_SIZE);
  const slotOf = (key: string) => Number(h64(key) % size);

  const fill = (hosts: readonly string[]): Uint16Array => {
    const table = new Uint16Array(MAGLEV_TABLE_SIZE).fill(FREE);
    const position = Uint32Array.from(hosts, slotOf);
    const skip = Uint32Array.from(hosts, (host) => Number(h64(host, 1n) % (size - 1n)) + 1);
    for (let taken = 0; taken < MAGLEV_TABLE_SIZE; ) {
      for (let host = 0; host < hosts.length && taken < MAGLEV_TABLE_SIZE; host++, taken++) {
        const step = skip[host] as number;
        let slot = position[host] as number;
        while (table[slot] !== FREE) slot = next(slot, step);
        table[slot] = host;
        position[host] = next(slot, step);
      }
    }
    return table;
  };

  return (hosts) => {
    if (hosts.length === 0 || hosts.length >= FREE) throw new RangeError(`a Maglev table takes 1 to ${FREE - 1} hosts`);
    const sorted = [...hosts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const [only] = sorted;
    if (sorted.length === 1) return { owner: () => only as string };
    let table: Uint16Array | undefined;
    return {
      owner(key) {
        table ??= fill(sorted);
        return sorted[table[slotOf(key)] as number] as string;
      },
    };
  };
}

function next(slot: number, step: number): number {
  const sum = slot + step;
  return sum >= MAGLEV_TABLE_SIZE ? sum - MAGLEV_TABLE_SIZE : sum;
}
