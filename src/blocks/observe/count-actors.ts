import type { Count } from '../../telemetry/metrics/family.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { ActorApp } from '../actors/app-http.js';
import type { ActorObserver, ActorRuntime } from '../actors/runtime.js';
import type { ConfigSource } from '../config-source.js';

/** @returns `runtime`, the calls that run or wait counted for the types that it hosts, and its live actors shown */
export function countTurns(runtime: ActorRuntime, { actors }: SidecarMetrics): ActorRuntime {
  const known = new Map<string, Count>();
  const pendingOf = (type: string): Count | undefined => {
    let pending = known.get(type);
    if (pending === undefined && runtime.hostedTypes.includes(type)) {
      pending = actors.pending.of(type);
      known.set(type, pending);
    }
    return pending;
  };
  actors.active.from(() => {
    for (const { type, count } of runtime.activeActors()) actors.active.of(type).value = count;
  });
  return {
    ...runtime,
    get hostedTypes() {
      return runtime.hostedTypes;
    },
    async execute(call) {
      const pending = pendingOf(call.type);
      if (pending === undefined) return runtime.execute(call);
      pending.value += 1;
      try {
        return await runtime.execute(call);
      } finally {
        pending.value -= 1;
      }
    },
  };
}

/** @returns what counts actors as they come and go */
export const countActors = ({ actors }: SidecarMetrics): ActorObserver => ({
  activated(type) {
    actors.activated.of(type).value += 1;
  },
  moved(type) {
    actors.rebalanced.of(type).value += 1;
  },
});

/** @returns `app`, its deactivations counted */
export function countDeactivations(app: ActorApp, { actors }: SidecarMetrics): ActorApp {
  return {
    invoke: (turn) => app.invoke(turn),
    deactivate: (type, id) =>
      app.deactivate(type, id).then(
        () => {
          actors.deactivated.of(type).value += 1;
        },
        (error: unknown) => {
          actors.deactivateFailed.of(type).value += 1;
          throw error;
        },
      ),
  };
}

/** @returns `source`, what it says about placement counted */
export function countPlacements(source: ConfigSource, { actors }: SidecarMetrics): ConfigSource {
  return {
    refresh: (kind, name) => source.refresh?.(kind, name),
    renew: () => source.renew?.() ?? 0,
    on(kind, apply) {
      if (kind !== 'placement') return source.on(kind, apply);
      return source.on(kind, async (change) => {
        for (const name of change.updated.keys()) actors.placements.of(typeOf(name), 'update').value += 1;
        for (const name of change.removed) actors.placements.of(typeOf(name), 'remove').value += 1;
        await apply(change);
      });
    },
  };
}

/** A resource is named `<namespace>/<actor type>`. */
const typeOf = (name: string) => name.slice(name.indexOf('/') + 1);
