import { randomUUID } from 'node:crypto';
import { AppError, messageOf } from '../../errors.js';
import type { Clock } from '../../lib/clock.js';
import type { MaglevBuilder } from '../../lib/maglev.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Headers, HttpReply } from '../app/channel.js';
import type { ConfigSource } from '../config-source.js';
import type { ActorApp } from './app-http.js';
import type { ActorHostConfig, ActorTypeConfig } from './config.js';
import { createExpiryQueue } from './idle.js';
import { createPlacement, type Owner } from './placement.js';
import { Actor, type ActorIdentity, actorKey, createActorTable } from './table.js';
import { TurnQueue } from './turn-queue.js';

/** A call of an actor method that reached this host. */
export interface ActorCall extends ActorIdentity {
  readonly method: string;
  readonly query?: string;
  readonly headers: Headers;
  readonly body?: Buffer;
  readonly remote: boolean;
  /** Asked before a turn that had to wait begins: true when nobody waits for the answer any more. */
  readonly gone?: () => boolean;
}

/** `moved`: the actor does not live here, no turn ran, and whoever sent the call may send it again. */
export type ActorAnswer = { readonly kind: 'reply'; readonly reply: HttpReply } | { readonly kind: 'moved' };

export interface ActorRuntime {
  /** Runs one turn. @throws AppError */
  execute(call: ActorCall): Promise<ActorAnswer>;
  /** What the app hosts, as it last said. An empty config: no actors. Types that are gone lose their actors. */
  host(config: ActorHostConfig): Promise<void>;
  readonly hostedTypes: readonly string[];
  /** @returns undefined when nobody is known to host the type */
  owner(actor: ActorIdentity): Owner | undefined;
  /** Whether the actor lives here now and may write its state. */
  isActive(actor: ActorIdentity): boolean;
  /** For the metadata API. */
  activeActors(): readonly { readonly type: string; readonly count: number }[];
  placement(): readonly string[];
  /** Ends every turn now: the lease runs out and another host may be given the actors. Resolves when none lives here. */
  leaseLost(): Promise<void>;
  /** Takes no new turn, lets running ones end within `deadlineMs`, deactivates all. Idempotent. */
  close(deadlineMs: number): Promise<void>;
}

export interface ActorRuntimeDeps {
  readonly instanceId: string;
  readonly namespace: string;
  readonly app: ActorApp;
  readonly config: ConfigSource;
  readonly buildTable: MaglevBuilder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False as soon as another host may be told that it owns our actors. */
  readonly leaseValid: () => boolean;
  readonly limits?: Partial<ActorLimits>;
  readonly observer?: ActorObserver;
}

/** Told of actors as they come and go, for metrics. */
export interface ActorObserver {
  activated(type: string): void;
  /** Another host owns it from now on. */
  moved(type: string): void;
}

export interface ActorLimits {
  /** Calls that may wait for one actor. Default 1,000. */
  readonly maxWaiting: number;
  /** Milliseconds that a call may wait for its turn. Default 60,000. */
  readonly maxWaitMs: number;
}

const LIMITS: ActorLimits = { maxWaiting: 1_000, maxWaitMs: 60_000 };
const MOVED: ActorAnswer = { kind: 'moved' };
/** Given to calls that wait when their actor goes: they never reached the app, so they are free to go elsewhere. */
const GONE = new Error('the actor no longer lives here');

/** @returns a runtime that hosts nothing until `host` is called; it registers itself for `placement` resources */
export function createActorRuntime(deps: ActorRuntimeDeps): ActorRuntime {
  const { app, clock, logger, instanceId } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const table = createActorTable();
  let hosted: ReadonlyMap<string, ActorTypeConfig> = new Map();
  let closing: Promise<void> | undefined;

  const placement = createPlacement({
    namespace: deps.namespace,
    buildTable: deps.buildTable,
    release: async (types) => {
      const moved = table.list().filter((actor) => types.has(actor.type) && !ownedHere(actor));
      if (moved.length > 0) logger.info('actors moved to other hosts', { count: moved.length, types: [...types].join(',') });
      for (const { type } of moved) deps.observer?.moved(type);
      await Promise.all(moved.map((actor) => deactivate(actor, actor.config.drainTimeoutMs)));
    },
  });
  deps.config.on('placement', placement.apply);

  const ownedHere = (actor: ActorIdentity) => placement.believed() && placement.owner(actor)?.host.instanceId === instanceId;

  const idle = createExpiryQueue<Actor>(clock, (actor) => {
    const due = actor.usedAtMs + actor.config.idleTimeoutMs;
    if (actor.turns.running) return clock.now() + actor.config.idleTimeoutMs;
    if (due > clock.now()) return due;
    void deactivate(actor, actor.config.drainTimeoutMs);
    return undefined;
  });

  const activate = (call: ActorIdentity, config: ActorTypeConfig): Actor | undefined => {
    const { enabled, maxStackDepth } = config.reentrancy;
    const actor = new Actor(call, config, new TurnQueue({ clock, ...limits, maxStackDepth: enabled ? maxStackDepth : 0 }));
    table.add(actor);
    actor.become('activating');
    if (!ownedHere(actor)) {
      actor.become('invalid');
      table.remove(actor);
      return undefined;
    }
    actor.become('valid');
    deps.observer?.activated(actor.type);
    actor.usedAtMs = clock.now();
    actor.expiry = idle.add(actor, actor.usedAtMs + config.idleTimeoutMs);
    return actor;
  };

  const deactivate = (actor: Actor, drainMs: number): Promise<void> => {
    if (actor.state === 'deactivating') return actor.ended ?? Promise.resolve();
    actor.become('deactivating');
    actor.expiry?.cancel();
    actor.turns.close(GONE);
    actor.ended = end(actor, drainMs);
    return actor.ended;
  };

  const end = async (actor: Actor, drainMs: number): Promise<void> => {
    const cancel = clock.after(drainMs, () => actor.abort(new Error('the actor leaves this host')));
    await actor.turns.quiet();
    cancel();
    try {
      await app.deactivate(actor.type, actor.id);
    } catch (error) {
      // The app may be gone; for this host the actor is gone either way.
      logger.warn('the app did not deactivate an actor', { actor: actor.key, error: messageOf(error) });
    }
    actor.become('invalid');
    table.remove(actor);
  };

  /** Waits until a leaving actor is gone. @returns false: it will not come back here */
  const parked = async (actor: Actor): Promise<boolean> => {
    if (!ownedHere(actor)) return false;
    if (actor.parked >= limits.maxWaiting)
      throw new AppError('actorInvoke', { err: `${limits.maxWaiting} calls wait for this actor already` });
    actor.parked++;
    await actor.ended;
    return true;
  };

  const turn = async (actor: Actor, call: ActorCall): Promise<HttpReply> => {
    const chain = actor.config.reentrancy.enabled ? chainOf(call.headers) : undefined;
    const wait = actor.turns.enter({ chain, gone: call.gone });
    if (wait) await wait;
    try {
      if (!deps.leaseValid()) throw GONE;
      return await app.invoke({ ...call, chain, signal: actor.signal });
    } finally {
      actor.usedAtMs = clock.now();
      actor.turns.leave();
    }
  };

  const endAll = async (actors: readonly Actor[], drainMs: number) => {
    const drain = clock.now() + drainMs;
    await Promise.all(actors.map((actor) => deactivate(actor, Math.max(0, drain - clock.now()))));
  };

  /** One try to get a turn. Nothing is awaited before the call has its place in the queue, or arrival order would be lost. */
  const attempt = async (call: ActorCall, config: ActorTypeConfig): Promise<ActorAnswer | undefined> => {
    const actor = table.get(actorKey(call)) ?? activate(call, config);
    if (!actor) return MOVED;
    if (actor.state !== 'valid') return (await parked(actor)) ? undefined : MOVED;
    try {
      return { kind: 'reply', reply: await turn(actor, call) };
    } catch (error) {
      // It went while this call waited. Perhaps only because it was idle: then it lives again, here.
      if (error === GONE) return undefined;
      throw error;
    }
  };

  return {
    async execute(call) {
      const config = hosted.get(call.type);
      while (config && !closing && deps.leaseValid()) {
        const answer = await attempt(call, config);
        if (answer) return answer;
      }
      return MOVED;
    },
    async host(config) {
      for (const problem of config.problems) logger.warn('actor configuration of the app', { problem });
      hosted = config.types;
      const dropped = table.list().filter((actor) => !hosted.has(actor.type));
      await Promise.all(dropped.map((actor) => deactivate(actor, actor.config.drainTimeoutMs)));
    },
    get hostedTypes() {
      return [...hosted.keys()].sort();
    },
    owner: placement.owner,
    isActive: (actor) => {
      const known = table.get(actorKey(actor));
      // Another host may run its turns from now on: what ends here writes nothing any more.
      if (!known || known.lost || !deps.leaseValid()) return false;
      return known.state === 'valid' || known.state === 'deactivating';
    },
    activeActors: () => table.counts(hosted.keys()),
    placement: placement.describe,
    leaseLost() {
      placement.doubt(deps.config.renew?.() ?? 0);
      const actors = table.list();
      for (const actor of actors) actor.lost = true;
      return endAll(actors, 0);
    },
    close(deadlineMs) {
      closing ??= endAll(table.list(), deadlineMs).finally(() => idle.close());
      return closing;
    },
  };
}

function chainOf(headers: Headers): string {
  const given = headers['dapr-reentrancy-id'];
  return typeof given === 'string' && given !== '' ? given : randomUUID();
}
