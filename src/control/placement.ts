import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UsageError } from '../errors.js';
import type { ActorPlacement } from '../gen/weft/config/v1/config.js';
import type { Instance } from '../model/instance.js';

/** What is kept of each actor type: its generation, and for which hosts it stands. */
interface Kept {
  readonly generation: number;
  readonly hosts: string;
}

/** Where generations outlive the control plane. */
export interface PlacementStore {
  load(): ReadonlyMap<string, Kept>;
  save(kept: ReadonlyMap<string, Kept>): void;
}

export interface Placement {
  /** @returns the hosts of every actor type, sorted by namespace and type; a type whose hosts changed has a greater generation */
  update(instances: readonly Instance[]): readonly ActorPlacement[];
}

/**
 * Membership of actors (design §5): the hosts of each actor type and a generation that grows whenever they change and never falls,
 * also across restarts. It is saved before anyone sees it: a generation that was given away must not be given away again.
 */
export function createPlacement(store: PlacementStore): Placement {
  const kept = new Map(store.load());
  let current: readonly ActorPlacement[] = [];

  return {
    update(instances) {
      const members = membersOf(instances);
      let grown = false;
      const grow = (key: string, hosts: string) => {
        const before = kept.get(key);
        if (before?.hosts === hosts) return before.generation;
        const generation = (before?.generation ?? 0) + 1;
        kept.set(key, { generation, hosts });
        grown = true;
        return generation;
      };
      const next = [...members.entries()].sort().map(([key, hosts]) => {
        const [namespace = '', actorType = ''] = splitKey(key);
        const digest = hosts.map(({ instanceId, address, port }) => `${instanceId}@${address}:${port}`).join(',');
        return { namespace, actorType, generation: grow(key, digest), hosts };
      });
      // A type without hosts is no resource, but whoever hosts it next must be a later generation.
      for (const key of kept.keys()) if (!members.has(key)) grow(key, '');
      if (grown) store.save(kept);
      if (grown || next.length !== current.length) current = next;
      return current;
    },
  };
}

function membersOf(instances: readonly Instance[]): Map<string, ActorPlacement['hosts']> {
  const members = new Map<string, ActorPlacement['hosts']>();
  for (const instance of instances) {
    if (!isHost(instance)) continue;
    for (const type of new Set(instance.actorTypes)) {
      const key = `${instance.namespace}/${type}`;
      const hosts = members.get(key) ?? [];
      hosts.push({
        instanceId: instance.instanceId,
        appId: instance.appId,
        address: instance.address,
        port: instance.inboundPort,
      });
      members.set(key, hosts);
    }
  }
  for (const hosts of members.values()) hosts.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  return members;
}

/** A lost instance stays a host until its lease ends: its actors may still run there, and a short break must not move them. */
const isHost = ({ lease, appReady, appHealthy, proxySilent }: Instance) =>
  lease !== 'withdrawn' && appReady && appHealthy && !proxySilent;

const splitKey = (key: string): [string, string] => {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
};

/** @returns a store in the file `placement.json` of `directory`; a damaged file is an error, since starting anew would let generations fall */
export function filePlacementStore(directory: string): PlacementStore {
  const path = join(directory, 'placement.json');
  return {
    load() {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch {
        return new Map();
      }
      try {
        return new Map(Object.entries(JSON.parse(text) as Record<string, Kept>));
      } catch (error) {
        throw new UsageError(`${path} is damaged (${messageOf(error)}): remove it while no sidecar is running`);
      }
    },
    save(kept) {
      const draft = `${path}.${process.pid}.tmp`;
      writeFileSync(draft, JSON.stringify(Object.fromEntries(kept)), { mode: 0o600 });
      renameSync(draft, path);
    },
  };
}
