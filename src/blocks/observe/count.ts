import { around } from '../../telemetry/around.js';
import type { Count, Distribution } from '../../telemetry/metrics/family.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { ActorApp } from '../actors/app-http.js';
import type { ActorRuntime } from '../actors/runtime.js';
import type { ComponentHost } from '../component-host.js';
import type { Publisher } from '../pubsub/publisher.js';
import type { AppEvent, EventSink, Outcome } from '../pubsub/sink.js';
import type { PolicyKind, PolicyTarget, ResiliencyObserver } from '../resiliency/observer.js';
import type { StateService } from '../state/service.js';

/** One decorator a block: the rules know nothing of metrics. */

interface Pair {
  readonly count: Count;
  readonly latency: Distribution;
}

const since = (startedAt: number) => performance.now() - startedAt;

/** @returns `service`, each call counted under its store and operation; stores that are not there make no series */
export function countState(
  service: StateService,
  { state }: SidecarMetrics,
  where: { readonly namespace: string; readonly host: Pick<ComponentHost, 'state'> },
): StateService {
  const operation = (name: string) => {
    const good = new Map<string, Pair>();
    const pair = (store: string, success: string): Pair => {
      const labels = [store, where.namespace, name, success];
      return { count: state.count.of(...labels), latency: state.latency.of(...labels) };
    };
    return <T>(store: string, action: () => T | Promise<T>): T | Promise<T> => {
      const startedAt = performance.now();
      return around(action, (error) => {
        let found = good.get(store);
        if (found === undefined || error !== undefined) {
          if (where.host.state(store) === undefined) return;
          found = pair(store, String(error === undefined));
          if (error === undefined) good.set(store, found);
        }
        found.count.value += 1;
        found.latency.observe(since(startedAt));
      });
    };
  };
  const [get, set, remove] = [operation('get'), operation('set'), operation('delete')];
  const [bulkGet, bulkDelete, transaction] = [operation('bulk_get'), operation('bulk_delete'), operation('transaction')];
  return {
    get: (store, key, options) => get(store, () => service.get(store, key, options)),
    save: (store, items) => set(store, () => service.save(store, items)),
    delete: (store, item) => remove(store, () => service.delete(store, item)),
    deleteBulk: (store, items) => bulkDelete(store, () => service.deleteBulk(store, items)),
    bulkGet: (store, request) => bulkGet(store, () => service.bulkGet(store, request)),
    transact: (store, items, metadata) => transaction(store, () => service.transact(store, items, metadata)),
  };
}

/** Counts what is published. Components that are not there make no series. */
export function countPublisher(
  publisher: Publisher,
  { pubsub }: SidecarMetrics,
  where: { readonly namespace: string; readonly host: Pick<ComponentHost, 'pubsub'> },
): Publisher {
  const labelsOf = (call: { readonly pubsubName: string; readonly topic: string }, error: unknown) =>
    where.host.pubsub(call.pubsubName) && [call.pubsubName, where.namespace, call.topic, String(error === undefined)];
  return {
    ...publisher,
    async publish(call) {
      const startedAt = performance.now();
      await around(
        () => publisher.publish(call),
        (error) => {
          const labels = labelsOf(call, error);
          if (!labels) return;
          pubsub.egress.of(...labels).value += 1;
          pubsub.egressLatency.of(...labels).observe(since(startedAt));
        },
      );
    },
    async bulkPublish(call) {
      const startedAt = performance.now();
      return around(
        () => publisher.bulkPublish(call),
        (error) => {
          const labels = labelsOf(call, error);
          if (!labels) return;
          pubsub.bulkEgress.of(...labels).value += 1;
          pubsub.bulkEgressEvents.of(...labels).value += call.entries.length;
          pubsub.bulkEgressLatency.of(...labels).observe(since(startedAt));
        },
      );
    },
  };
}

/** What Dapr calls the outcomes of a delivery. */
const STATUS: Readonly<Record<Outcome['kind'], string>> = {
  success: 'success',
  ignore: 'drop',
  drop: 'drop',
  retry: 'retry',
  unreachable: 'retry',
};

/** @returns `sink`, each delivery counted under its topic and what the app made of it */
export function countSink(sink: EventSink, { pubsub }: SidecarMetrics, namespace: string): EventSink {
  const labelsOf = ({ pubsubName, topic }: AppEvent, status: string) => [pubsubName, namespace, topic, status, status];
  const counted: EventSink = {
    async deliver(event, signal) {
      const startedAt = performance.now();
      let status = 'retry';
      try {
        const outcome = await sink.deliver(event, signal);
        status = STATUS[outcome.kind];
        return outcome;
      } finally {
        const labels = labelsOf(event, status);
        pubsub.ingress.of(...labels).value += 1;
        pubsub.ingressLatency.of(...labels).observe(since(startedAt));
      }
    },
  };
  const bulk = sink.deliverBulk?.bind(sink);
  if (!bulk) return counted;
  return {
    ...counted,
    async deliverBulk(entries, signal) {
      const startedAt = performance.now();
      const first = entries[0];
      if (!first) return [];
      let outcomes: readonly Outcome[] | undefined;
      try {
        outcomes = await bulk(entries, signal);
        return outcomes;
      } finally {
        const worst = outcomes?.every(({ kind }) => kind === 'success') ? 'success' : 'retry';
        const labels = labelsOf(first.event, worst);
        pubsub.bulkIngress.of(...labels).value += 1;
        pubsub.bulkIngressLatency.of(...labels).observe(since(startedAt));
        entries.forEach((entry, index) => {
          pubsub.bulkIngressEvents.of(...labelsOf(entry.event, STATUS[outcomes?.[index]?.kind ?? 'retry'])).value += 1;
        });
      }
    },
  };
}

/** @returns `runtime`, the calls that run or wait counted for the types that it hosts */
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

const BREAKER = { closed: 0, 'half-open': 1, open: 2 } as const;

/** @returns what counts the work of resiliency policies */
export function countResiliency({ resiliency }: SidecarMetrics, namespace: string): ResiliencyObserver {
  const labelsOf = ({ component, type, direction }: PolicyTarget, source: string, kind: PolicyKind) =>
    [source, kind, namespace, direction, `${type}_${component}`] as const;
  return {
    ran(target, source, kind, state) {
      resiliency.count.of(...labelsOf(target, source, kind), state ?? '').value += 1;
    },
    activated(target, source, kind) {
      resiliency.activations.of(...labelsOf(target, source, kind), '').value += 1;
    },
    breaker(target, source, state) {
      resiliency.breaker.of(...labelsOf(target, source, 'circuitbreaker')).value = BREAKER[state];
    },
  };
}

/** @returns `probe`, each health check of the app counted */
export function countProbes<A extends readonly unknown[]>(
  probe: (...args: A) => Promise<boolean>,
  { count, latency }: SidecarMetrics['probes']['http'],
): (...args: A) => Promise<boolean> {
  return async (...args) => {
    const startedAt = performance.now();
    const healthy = await probe(...args);
    const success = String(healthy);
    count.of(success).value += 1;
    latency.of(success).observe(since(startedAt));
    return healthy;
  };
}

/** Follows what `host` has in force. */
export function countComponents(host: ComponentHost, { components }: SidecarMetrics): void {
  host.onChange(({ kind, name }) => {
    const all = host.list();
    components.loaded.value = all.length;
    components.failed.value = host.failures().length;
    const type = all.find((component) => component.name === name)?.type;
    if (kind !== 'removed' && type) components.init.of(type).value += 1;
  });
}
