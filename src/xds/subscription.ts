import type { Resource } from './resource.js';

/** The name that stands for every resource of a type (xDS protocol, "wildcard subscriptions"). */
export const WILDCARD = '*';

/** What the client has under a name: the very resource that was sent, or, from an earlier stream, its version only. */
export type Held = Pick<Resource, 'version'> & Partial<Resource>;

/** What pure functions may read of a {@link Subscription}. */
export interface SubscriptionView {
  readonly wildcard: boolean;
  /** Names asked for one by one, without `*`. */
  readonly names: ReadonlySet<string>;
  /** What the client has, as far as we know: what it told on reconnect and what was sent since. */
  readonly held: ReadonlyMap<string, Held>;
  /** Held names that come from an earlier stream and were not sent on this one. */
  readonly inherited: ReadonlySet<string>;
  wants(name: string): boolean;
}

/** What one client asked for of one type on one stream, and what it has. */
export interface Subscription extends SubscriptionView {
  /** Adopts what a reconnecting client says it still has, as far as it wants it. */
  inherit(versions: ReadonlyMap<string, string>): void;
  setWildcard(on: boolean): void;
  subscribe(names: Iterable<string>): void;
  /** The client forgets what it unsubscribes from, unless a wildcard still covers it. */
  unsubscribe(names: Iterable<string>): void;
  sent(upserts: readonly Resource[], removals: readonly string[]): void;
  /** From now on inherited resources are like all others. */
  settle(): void;
}

/** @returns a subscription to nothing */
export function createSubscription(): Subscription {
  let wildcard = false;
  const names = new Set<string>();
  const held = new Map<string, Held>();
  const inherited = new Set<string>();
  const wants = (name: string) => wildcard || names.has(name);
  const forget = (name: string) => {
    held.delete(name);
    inherited.delete(name);
  };

  return {
    get wildcard() {
      return wildcard;
    },
    names,
    held,
    inherited,
    wants,
    inherit(versions) {
      for (const [name, version] of versions) {
        if (!wants(name)) continue;
        held.set(name, { version });
        inherited.add(name);
      }
    },
    setWildcard(on) {
      wildcard = on;
      if (!on) for (const name of [...held.keys()]) if (!names.has(name)) forget(name);
    },
    subscribe(added) {
      for (const name of added) names.add(name);
    },
    unsubscribe(dropped) {
      for (const name of dropped) {
        names.delete(name);
        if (!wildcard) forget(name);
      }
    },
    sent(upserts, removals) {
      for (const resource of upserts) {
        held.set(resource.name, resource);
        inherited.delete(resource.name);
      }
      for (const name of removals) forget(name);
    },
    settle: () => inherited.clear(),
  };
}
