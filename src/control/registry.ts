import type { Instance as AttachedInstance } from '../gen/weft/registry/v1/registry.js';
import type { Clock } from '../lib/clock.js';
import { appKey, type Instance } from '../model/instance.js';
import { instanceProblems } from './instance-problems.js';

export interface RegistryOptions {
  /** How long an instance stays without a heartbeat, in milliseconds of the monotonic clock. */
  readonly leaseTtlMs: number;
  readonly maxInstances: number;
}

export interface RegistryDeps {
  readonly clock: Clock;
  /** Called after every change of {@link Registry.instances}. */
  readonly onChange: () => void;
}

/** An instance's place in the registry, held by one Attach stream. */
export interface Lease {
  readonly instanceId: string;
  /** @returns problems; the instance stays as it was then */
  update(instance: AttachedInstance): readonly string[];
  renew(): void;
  /** No endpoint from now on; the instance itself stays until the stream ends. */
  withdraw(): void;
  /** The stream ended. `cleanly`: by the sidecar's own wish, which frees the place at once. */
  end(cleanly: boolean): void;
}

export interface Refusal {
  readonly problems: readonly string[];
  readonly final: boolean;
}

export interface Registry {
  /** @param onExpired the lease ran out or another stream of the same sidecar took it over: end this stream */
  attach(instance: AttachedInstance, onExpired: (why: string) => void): Lease | Refusal;
  /** Sorted by namespace, app id, instance id. The same array until something changes. */
  instances(): readonly Instance[];
  /** How many leases ran out so far. */
  expired(): number;
  close(): void;
}

interface Entry {
  /** Replaced as a whole by every change, so that the same object means the same instance to whoever translates it. */
  instance: Instance;
  /** Monotonic time of the last sign of life. */
  renewedAt: number;
  /** Which stream holds the lease: a stream that was superseded may not touch it any more. */
  holder: object;
  onExpired: (why: string) => void;
  cancelExpiry: () => void;
}

/**
 * Who is attached. A stream that breaks does not prove that the sidecar is gone, so its instance stays, `lost`, until the lease ends;
 * a stream that stays open proves nothing either: without heartbeats the lease runs out all the same.
 */
export function createRegistry(options: RegistryOptions, { clock, onChange }: RegistryDeps): Registry {
  const entries = new Map<string, Entry>();
  let sorted: readonly Instance[] | undefined;
  let expired = 0;

  const changed = () => {
    sorted = undefined;
    onChange();
  };
  const remove = (id: string, entry: Entry) => {
    entry.cancelExpiry();
    entries.delete(id);
    changed();
  };
  // Heartbeats only move `renewedAt`; the timer looks again when it fires.
  const watch = (id: string, entry: Entry) => {
    const left = entry.renewedAt + options.leaseTtlMs - clock.now();
    if (left > 0) {
      entry.cancelExpiry = clock.after(left, () => watch(id, entry));
      return;
    }
    expired += 1;
    remove(id, entry);
    entry.onExpired(`no heartbeat for ${options.leaseTtlMs} ms`);
  };

  function refusalOf(instance: AttachedInstance, current: Entry | undefined): Refusal | undefined {
    const problems = instanceProblems(instance);
    if (problems.length > 0) return { problems, final: true };
    if (current && !sameProcess(current.instance, instance))
      return {
        problems: [
          `instance id "${instance.instanceId}" is taken by the sidecar with pid ${current.instance.pid}: choose another`,
        ],
        final: true,
      };
    if (!current && entries.size >= options.maxInstances)
      return { problems: [`this control plane takes ${options.maxInstances} instances at most`], final: false };
    return undefined;
  }

  function leaseOf(id: string, entry: Entry, holder: object): Lease {
    const holds = () => entries.get(id) === entry && entry.holder === holder;
    return {
      instanceId: id,
      update(instance) {
        const problems = instanceProblems(instance);
        if (instance.instanceId !== id)
          return [...problems, `instance id changed from "${id}" to "${instance.instanceId}" on one stream`];
        if (problems.length > 0 || !holds()) return problems;
        entry.instance = { ...instance, lease: entry.instance.lease };
        entry.renewedAt = clock.now();
        changed();
        return [];
      },
      renew() {
        if (holds()) entry.renewedAt = clock.now();
      },
      withdraw() {
        if (!holds() || entry.instance.lease === 'withdrawn') return;
        entry.instance = { ...entry.instance, lease: 'withdrawn' };
        changed();
      },
      end(cleanly) {
        if (!holds()) return;
        if (cleanly || entry.instance.lease === 'withdrawn') return remove(id, entry);
        entry.instance = { ...entry.instance, lease: 'lost' };
        changed();
      },
    };
  }

  return {
    attach(instance, onExpired) {
      const id = instance.instanceId;
      const current = entries.get(id);
      const refusal = refusalOf(instance, current);
      if (refusal) return refusal;
      const holder = {};
      current?.cancelExpiry();
      const entry: Entry = {
        instance: { ...instance, lease: 'live' },
        renewedAt: clock.now(),
        holder,
        onExpired,
        cancelExpiry: () => {},
      };
      entries.set(id, entry);
      watch(id, entry);
      if (current?.instance.lease === 'live') current.onExpired('the sidecar has attached anew');
      changed();
      return leaseOf(id, entry, holder);
    },
    instances() {
      sorted ??= [...entries.values()].map(({ instance }) => instance).sort(byKey);
      return sorted;
    },
    expired: () => expired,
    close() {
      for (const { cancelExpiry } of entries.values()) cancelExpiry();
      entries.clear();
    },
  };
}

/** A sidecar that reconnects before its old stream is seen to be broken is no stranger. */
const sameProcess = (a: AttachedInstance, b: AttachedInstance) =>
  a.pid === b.pid && a.startedAtMs === b.startedAtMs && appKey(a) === appKey(b);

function byKey(a: Instance, b: Instance): number {
  return compare(a.namespace, b.namespace) || compare(a.appId, b.appId) || compare(a.instanceId, b.instanceId);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
