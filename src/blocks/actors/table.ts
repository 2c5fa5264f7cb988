import { setMaxListeners } from 'node:events';
import type { ActorTypeConfig } from './config.js';
import type { ExpiryEntry } from './idle.js';
import type { TurnQueue } from './turn-queue.js';

/**
 * An actor's life on this host. `creating`: in the table, so that nobody makes a second one; `activating`: proving that it may
 * live here; `valid`: takes turns; `deactivating`: takes no turn, the app is told; `invalid`: gone, the next call makes a new one.
 */
export type ActorState = 'creating' | 'activating' | 'valid' | 'deactivating' | 'invalid';

const NEXT: Readonly<Record<ActorState, readonly ActorState[]>> = {
  creating: ['activating', 'invalid'],
  activating: ['valid', 'invalid'],
  valid: ['deactivating'],
  deactivating: ['invalid'],
  invalid: [],
};

export interface ActorIdentity {
  readonly type: string;
  readonly id: string;
}

/** `||` as in state keys: it cannot stand in a type, and an id that holds it still gives a key of its own after the type. */
export const actorKey = ({ type, id }: ActorIdentity): string => `${type}||${id}`;

/** One live actor. The object is the activation: when it is invalid it never lives again. */
export class Actor {
  readonly type: string;
  readonly id: string;
  readonly key: string;
  readonly config: ActorTypeConfig;
  readonly turns: TurnQueue;
  /** End of the last turn, milliseconds on the runtime's clock. */
  usedAtMs = 0;
  expiry: ExpiryEntry | undefined;
  /** Set while deactivating: settles when the actor is invalid. */
  ended: Promise<void> | undefined;
  /** Calls that wait for `ended`, to make the actor live again. */
  parked = 0;
  /** The host's lease ran out while it lived here: another host may have it. */
  lost = false;
  #state: ActorState = 'creating';
  #abort: AbortController | undefined;

  constructor(identity: ActorIdentity, config: ActorTypeConfig, turns: TurnQueue) {
    this.type = identity.type;
    this.id = identity.id;
    this.key = actorKey(identity);
    this.config = config;
    this.turns = turns;
  }

  get state(): ActorState {
    return this.#state;
  }

  /** @throws Error on a step that the life cycle does not have: a mistake in the runtime, never of a caller */
  become(next: ActorState): void {
    if (!NEXT[this.#state].includes(next)) throw new Error(`actor ${this.key}: ${this.#state} cannot become ${next}`);
    this.#state = next;
  }

  /** Aborts the calls of this actor that are under way in the app. One signal for all turns, because one a turn costs too much. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      setMaxListeners(0, this.#abort.signal);
    }
    return this.#abort.signal;
  }

  abort(reason: Error): void {
    this.#abort?.abort(reason);
  }
}

/** Who is live here. */
export interface ActorTable {
  get(key: string): Actor | undefined;
  /** @throws Error when the actor is in the table already */
  add(actor: Actor): void;
  remove(actor: Actor): void;
  /** A copy, so that callers may remove while they walk. */
  list(type?: string): readonly Actor[];
  /** Live actors by type; hosted types without any count 0. Sorted by type. */
  counts(hosted: Iterable<string>): readonly { readonly type: string; readonly count: number }[];
}

/** @returns an empty table */
export function createActorTable(): ActorTable {
  const actors = new Map<string, Actor>();
  return {
    get: (key) => actors.get(key),
    add(actor) {
      if (actors.has(actor.key)) throw new Error(`actor ${actor.key} lives already`);
      actors.set(actor.key, actor);
    },
    remove(actor) {
      if (actors.get(actor.key) === actor) actors.delete(actor.key);
    },
    list: (type) => [...actors.values()].filter((actor) => type === undefined || actor.type === type),
    counts(hosted) {
      const counts = new Map<string, number>();
      for (const type of hosted) counts.set(type, 0);
      for (const actor of actors.values()) counts.set(actor.type, (counts.get(actor.type) ?? 0) + 1);
      return [...counts].map(([type, count]) => ({ type, count })).sort((a, b) => (a.type < b.type ? -1 : 1));
    },
  };
}
