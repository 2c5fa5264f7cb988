/**
 * Placement: who owns an actor.
 *
 * The control plane keeps, for each namespace and actor type, the *hosts* and a *generation*: a number that grows with every change
 * of the hosts and never falls. It reaches Envoy as the endpoints of a MAGLEV cluster and the filter services as an ActorPlacement
 * resource. Both compute the *owner* of an actor from the same hosts with the same table (lib/maglev.ts), so Envoy routes, but
 * never decides: a host asks its own placement before it makes an actor live, and whoever is not the owner never runs a turn.
 *
 * The owner is computed from the *canonical* name of the actor, `<type>/<id>` percent-encoded the one way that `canonicalName`
 * encodes. A caller may have encoded the id differently, and Envoy hashes what it was sent; such a call can reach a host that is
 * not the owner, which sends it on under the canonical name.
 *
 * Generation g+1 arrives in `apply`. First it is put in force: from here on this host makes no actor live that g+1 gives to
 * another. Then the *handoff*: `release` is called with those live actors that g+1 gives to another host. They take no new turn,
 * the turn that runs may end within `drainOngoingCallTimeout`, and the app is told to deactivate them. Actors that stay notice
 * nothing: they are not even asked. Only when the last moved actor is gone does `apply` resolve, and the resource is acknowledged:
 * **the ACK is the release**. It tells the control plane that nothing of what this host lost at g+1 lives here any more.
 *
 * A type that vanishes has no owner, so all its actors here are released. A generation that falls means a control plane that lost
 * its memory: it is refused (NACK), and what is in force stays.
 *
 * Why no actor lives twice: on one host the table holds one activation for each name. Across hosts, the old owner's ACK comes after
 * its last turn, and a host that cannot be heard is taken out only when its lease has run out, before which it stops on its own clock
 * (runtime.ts). Such a host also doubts its placement: others may have had its actors meanwhile, and what it reads first when it wakes was
 * written before. It owns nothing until it has heard the control plane on a new connection.
 *
 * What is missing: a new owner does not wait for the old one's ACK yet, and nothing keeps a turn of the app that outlives its host's lease
 * from going on beside the new owner's first. It can write no state (`isActive`), but it runs.
 */
import type { ActorHost, ActorPlacement } from '../../gen/weft/config/v1/config.js';
import type { MaglevBuilder, MaglevTable } from '../../lib/maglev.js';
import type { ConfigApply } from '../config-source.js';
import type { ActorIdentity } from './table.js';

/** The host that won, under which generation. */
export interface Owner {
  readonly host: ActorHost;
  readonly generation: number;
}

export interface Placement {
  /** @returns undefined when nobody hosts the type */
  owner(actor: ActorIdentity): Owner | undefined;
  /** Whether it is what the control plane says now, as far as a process can know. */
  believed(): boolean;
  /** What is in force may have been overtaken: nothing counts until a change of this connection, or a later one, has come. */
  doubt(connection: number): void;
  /** Types that anybody hosts, as `type=generation`, sorted: for the metadata API. */
  describe(): readonly string[];
  /** For ConfigSource.on('placement'). */
  readonly apply: ConfigApply<ActorPlacement>;
}

export interface PlacementOptions {
  readonly namespace: string;
  readonly buildTable: MaglevBuilder;
  /** Called with the types that changed, once the new hosts are in force. Resolves when no actor that moved lives here. */
  readonly release: (types: ReadonlySet<string>) => Promise<void>;
}

interface TypePlacement {
  readonly generation: number;
  readonly hosts: ReadonlyMap<string, ActorHost>;
  /** Which hosts, as one string: types with equal hosts share a table. */
  readonly hostsKey: string;
  readonly table: MaglevTable;
}

/** @returns `<type>/<id>` in the one encoding that ownership is computed from */
export function canonicalName({ type, id }: ActorIdentity): string {
  return `${encodeURIComponent(type)}/${encodeURIComponent(id)}`;
}

/** @returns an empty placement: nobody hosts anything until the first `apply` */
export function createPlacement({ namespace, buildTable, release }: PlacementOptions): Placement {
  let types: ReadonlyMap<string, TypePlacement> = new Map();
  let believed = true;
  let believedFrom = 0;

  const compile = (resource: ActorPlacement, others: ReadonlyMap<string, TypePlacement>): TypePlacement => {
    const hosts = new Map(resource.hosts.map((host) => [host.instanceId, host]));
    const hostsKey = [...hosts.keys()].sort().join('|');
    const twin = [...others.values()].find((type) => type.hostsKey === hostsKey);
    return { generation: resource.generation, hosts, hostsKey, table: twin?.table ?? buildTable([...hosts.keys()]) };
  };

  return {
    owner(actor) {
      const type = types.get(actor.type);
      if (!type) return undefined;
      const host = type.hosts.get(type.table.owner(canonicalName(actor)));
      return host && { host, generation: type.generation };
    },
    believed: () => believed,
    doubt(connection) {
      believed = false;
      believedFrom = connection;
    },
    describe: () => [...types].map(([type, { generation }]) => `${type}=${generation}`).sort(),
    async apply({ updated, removed, connection = believedFrom }) {
      if (connection >= believedFrom) believed = true;
      const mine = [...updated.values()].filter((resource) => resource.namespace === namespace);
      for (const { actorType, generation } of mine) {
        const known = types.get(actorType)?.generation ?? 0;
        if (generation < known) throw new Error(`placement of ${actorType}: generation fell from ${known} to ${generation}`);
      }
      const next = new Map(types);
      const changed = new Set<string>();
      for (const resource of mine) {
        if (resource.hosts.length > 0) next.set(resource.actorType, compile(resource, next));
        else next.delete(resource.actorType);
        changed.add(resource.actorType);
      }
      for (const name of removed) {
        const type = name.startsWith(`${namespace}/`) ? name.slice(namespace.length + 1) : '';
        if (next.delete(type)) changed.add(type);
      }
      types = next;
      if (changed.size > 0) await release(changed);
    },
  };
}
