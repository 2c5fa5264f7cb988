import { around } from '../../telemetry/around.js';
import type { Count, Distribution } from '../../telemetry/metrics/family.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { ComponentFailure, ComponentHost } from '../component-host.js';
import type { Publisher } from '../pubsub/publisher.js';
import type { AppEvent, EventSink, Outcome } from '../pubsub/sink.js';
import type { SecretService } from '../secrets/service.js';
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
    get: (store, key, options, caller) => get(store, () => service.get(store, key, options, caller)),
    save: (store, items, caller) => set(store, () => service.save(store, items, caller)),
    delete: (store, item, caller) => remove(store, () => service.delete(store, item, caller)),
    deleteBulk: (store, items, caller) => bulkDelete(store, () => service.deleteBulk(store, items, caller)),
    bulkGet: (store, request, caller) => bulkGet(store, () => service.bulkGet(store, request, caller)),
    transact: (store, items, metadata, caller) => transaction(store, () => service.transact(store, items, metadata, caller)),
  };
}

/** @returns `service`, each call counted under its store and operation; stores that are not there make no series */
export function countSecrets(
  service: SecretService,
  { secrets }: SidecarMetrics,
  where: { readonly namespace: string; readonly host: Pick<ComponentHost, 'secrets'> },
): SecretService {
  const counted = async <T>(store: string, operation: string, action: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    return around(action, (error) => {
      if (where.host.secrets(store) === undefined) return;
      const labels = [store, where.namespace, operation, String(error === undefined)];
      secrets.count.of(...labels).value += 1;
      secrets.latency.of(...labels).observe(since(startedAt));
    });
  };
  return {
    get: (store, name, metadata, caller) => counted(store, 'get', () => service.get(store, name, metadata, caller)),
    getAll: (store, metadata, caller) => counted(store, 'bulk_get', () => service.getAll(store, metadata, caller)),
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

/** What a health check found: whether the app is well, and its status as text. */
export interface ProbeResult {
  readonly healthy: boolean;
  readonly status: string;
}

/** @returns `probe`, each health check of the app counted */
export function countProbes<A extends readonly unknown[]>(
  probe: (...args: A) => Promise<ProbeResult>,
  { count, latency }: SidecarMetrics['probes']['http'],
): (...args: A) => Promise<boolean> {
  return async (...args) => {
    const startedAt = performance.now();
    const { healthy, status } = await probe(...args);
    count.of(status).value += 1;
    latency.of(status).observe(since(startedAt));
    return healthy;
  };
}

/** Follows what `host` has in force. */
export function countComponents(host: ComponentHost, { components }: SidecarMetrics): void {
  components.refused.from(() => {
    components.refused.of().value = host.failures().length;
  });
  host.onChange(({ kind, name }) => {
    const all = host.list();
    components.loaded.value = all.length;
    const type = all.find((component) => component.name === name)?.type;
    if (kind !== 'removed' && type) components.init.of(type).value += 1;
  });
}

/** @returns what counts each try to load a component that failed */
export const countFailures =
  ({ components }: SidecarMetrics) =>
  ({ name, type }: ComponentFailure): void => {
    components.initFailed.of(type, 'init', name).value += 1;
  };
