import type { NodeIdentity } from '../model/names.js';
import {
  accept,
  applyDecision,
  type Channel,
  createChannel,
  LEGACY_WILDCARD,
  notePlanned,
  noteSent,
  type PlanInput,
  plan,
  refuse,
} from './channel.js';
import type { Push } from './encode.js';
import { type NodeRecord, typeRecord } from './proxy-records.js';
import { type DeltaRequest, decideRequest } from './request-decision.js';
import type { Resource, Snapshot, SnapshotSource } from './resource.js';
import { PUSH_ORDER, resourceTypes, type TypeUrl } from './resource-types.js';

/** The other side, as a stream sees it. */
export interface StreamTransport {
  send(push: Push): void;
  /** False: the client does not keep up; the stream is told by `resume` when it does again. */
  ready(): boolean;
}

export interface StreamEvents {
  pushed(push: Push): void;
  nacked(typeUrl: TypeUrl, message: string): void;
  /** Called when anything was acknowledged or brought in step. */
  progressed(): void;
}

export interface StreamDeps {
  readonly node: NodeIdentity;
  readonly record: NodeRecord;
  readonly source: SnapshotSource;
  readonly transport: StreamTransport;
  readonly events: StreamEvents;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  /** How long routes wait for the endpoints of new clusters, in milliseconds. */
  readonly warmingMs: number;
}

/** One ADS stream of one node. */
export interface AdsStream {
  readonly node: NodeIdentity;
  request(typeUrl: TypeUrl, request: DeltaRequest): void;
  /** The source has changed; `revision` counts its changes. */
  refresh(revision: number): void;
  /** The transport is ready again. */
  resume(): void;
  /** @returns whether the node has acknowledged everything of `typeUrl` up to `revision` */
  inStep(typeUrl: TypeUrl, revision: number): boolean;
  /** @returns whether everything of these types up to `revision` is sent and answered, taken or refused */
  settled(types: readonly TypeUrl[], revision: number): boolean;
  close(): void;
}

/** Types whose removals wait until whatever refers to them is replaced, and the order in which they then go. */
const REMOVAL_ORDER: readonly TypeUrl[] = [
  resourceTypes.listener,
  resourceTypes.route,
  resourceTypes.cluster,
  resourceTypes.endpoint,
];
const KEPT: ReadonlySet<TypeUrl> = new Set(REMOVAL_ORDER);
/** Types that name clusters: their changes wait until new clusters can serve (a CDS ACK is not readiness, envoy#5174). */
const NAMING_CLUSTERS: ReadonlySet<TypeUrl> = new Set([resourceTypes.listener, resourceTypes.route]);
const CLUSTER_TYPES: readonly TypeUrl[] = [resourceTypes.cluster, resourceTypes.endpoint];

/**
 * Keeps one node in step. After every event it looks at each type in push order and sends what may be sent: answers that the node
 * waits for at once, changes when what they refer to is there, removals when nothing else is under way. A type with an outstanding
 * response waits for its ACK, so a slow node gets fewer, larger steps instead of a queue.
 */
export function createAdsStream(deps: StreamDeps): AdsStream {
  const { node, record, source, transport, events } = deps;
  const channels = new Map<TypeUrl, Channel>();
  const warming = createWarming(deps.warmingMs, () => advance());
  let snapshot = source.snapshot(node);
  let revision = 0;
  let nonces = 0;
  let closed = false;

  const view = (typeUrl: TypeUrl) => channels.get(typeUrl)?.subscription;
  record.connectedAt = deps.wallClock();
  record.view = view;

  function send(channel: Channel, input: PlanInput): void {
    const step = plan(channel, input);
    if (step.upserts.length + step.removals.length > 0 || step.answerEmpty) {
      nonces += 1;
      const { upserts, removals } = step;
      const push: Push = { typeUrl: channel.typeUrl, nonce: String(nonces), version: String(revision), upserts, removals };
      noteSent(channel, push);
      if (channel.typeUrl === resourceTypes.cluster) onClustersSent(upserts);
      transport.send(push);
      events.pushed(push);
    }
    notePlanned(channel, step, input);
  }

  /** An updated cluster warms until its endpoints come again, even unchanged ones (envoy#13009, envoy#46383); new ones it asks for. */
  function onClustersSent(clusters: readonly Resource[]): void {
    const known = snapshot?.get(resourceTypes.endpoint);
    const endpoints = channels.get(resourceTypes.endpoint);
    const names = clusters.map(({ name }) => name).filter((name) => known?.has(name));
    for (const name of names) warming.add(name);
    if (endpoints) oweEndpoints(endpoints, names);
  }

  function oweEndpoints({ owed, subscription }: Channel, names: Iterable<string>): void {
    if (owed !== 'all') for (const name of names) if (subscription.wants(name)) owed.add(name);
  }

  function trySend(channel: Channel, now: Snapshot, { gated, keep }: Pick<PlanInput, 'gated' | 'keep'>): void {
    if (channel.outstanding || !transport.ready()) return;
    const due = channel.owed === 'all' || channel.owed.size > 0 || channel.batches.length > 0;
    if (!channel.dirty && !due) return;
    const resources = now.get(channel.typeUrl) ?? NOTHING;
    send(channel, { resources, settling: source.settling(), gated, keep });
  }

  const busy = (typeUrl: TypeUrl) => {
    const channel = channels.get(typeUrl);
    return channel !== undefined && (channel.outstanding !== undefined || channel.batches.length > 0);
  };
  const refused = (typeUrl: TypeUrl) => (channels.get(typeUrl)?.record.rejected.size ?? 0) > 0;

  function advance(): void {
    if (closed || !snapshot) return;
    for (const typeUrl of PUSH_ORDER) {
      const channel = channels.get(typeUrl);
      const gated = NAMING_CLUSTERS.has(typeUrl) && (warming.names.size > 0 || CLUSTER_TYPES.some(busy));
      if (channel) trySend(channel, snapshot, { gated, keep: KEPT.has(typeUrl) });
    }
    if (warming.names.size === 0) sendRemovals(snapshot);
    for (const channel of channels.values()) channel.record.pending = channel.dirty || channel.outstanding !== undefined;
    events.progressed();
  }

  /** One type after the other, each when the one before is acknowledged. Clusters stay while a refused route may still name them. */
  function sendRemovals(now: Snapshot): void {
    for (const typeUrl of REMOVAL_ORDER) {
      if (REMOVAL_ORDER.some(busy)) return;
      if (CLUSTER_TYPES.includes(typeUrl) && [...NAMING_CLUSTERS].some(refused)) return;
      const channel = channels.get(typeUrl);
      if (channel) trySend(channel, now, { gated: false, keep: false });
    }
  }

  function answer(channel: Channel, request: DeltaRequest, verdict: 'ack' | 'nack'): void {
    const sent = channel.outstanding;
    if (!sent) return;
    if (verdict === 'ack') accept(channel, sent);
    else {
      const message = request.error ?? '';
      refuse(channel, sent, { message, at: deps.wallClock() });
      events.nacked(channel.typeUrl, message);
    }
    const names = [...sent.upserts.map(({ name }) => name), ...sent.removals];
    // A cluster that was refused never asks for its endpoints.
    if (channel.typeUrl === resourceTypes.endpoint || verdict === 'nack') warming.done(names);
  }

  return {
    node,
    request(typeUrl, received) {
      if (closed) return;
      const request = { ...received, subscribe: shared(received.subscribe, snapshot?.get(typeUrl)) };
      const known = channels.get(typeUrl);
      const decision = decideRequest(request, {
        subscription: known?.subscription,
        outstandingNonce: known?.outstanding?.nonce,
        legacyWildcard: LEGACY_WILDCARD.has(typeUrl),
      });
      const channel = known ?? createChannel(typeUrl, typeRecord(record, typeUrl));
      channels.set(typeUrl, channel);
      if (decision.row === 'ack' || decision.row === 'nack') answer(channel, request, decision.row);
      applyDecision(channel, decision);
      if (decision.row === 'reconnect' && typeUrl === resourceTypes.endpoint) oweEndpoints(channel, warming.names);
      advance();
    },
    refresh(next) {
      revision = next;
      snapshot = source.snapshot(node) ?? snapshot;
      for (const channel of channels.values()) channel.dirty ||= channel.since !== (snapshot?.get(channel.typeUrl) ?? NOTHING);
      advance();
    },
    resume: advance,
    inStep(typeUrl, wanted) {
      const channel = channels.get(typeUrl);
      if (!channel) return true;
      return revision >= wanted && !channel.dirty && !channel.outstanding && channel.record.rejected.size === 0;
    },
    settled(types, wanted) {
      const open = (channel?: Channel) => channel?.dirty || channel?.outstanding || (channel?.batches.length ?? 0) > 0;
      return revision >= wanted && warming.names.size === 0 && !types.some((typeUrl) => open(channels.get(typeUrl)));
    },
    close() {
      closed = true;
      warming.close();
      if (record.view === view) record.view = undefined;
    },
  };
}

/** @returns the same names, as the strings that the resources have already: a thousand clients name a thousand resources each */
function shared(names: readonly string[], resources: ReadonlyMap<string, Resource> = NOTHING): readonly string[] {
  return names.map((name) => resources.get(name)?.name ?? name);
}

const NOTHING: ReadonlyMap<string, Resource> = new Map();

/** Clusters that were sent and whose endpoints were not acknowledged yet; forgotten all together after `ms`, so that nothing waits for ever. */
function createWarming(ms: number, onLate: () => void) {
  const names = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    names: names as ReadonlySet<string>,
    add(name: string) {
      names.add(name);
      timer ??= setTimeout(() => {
        names.clear();
        stop();
        onLate();
      }, ms).unref();
    },
    done(gone: Iterable<string>) {
      for (const name of gone) names.delete(name);
      if (names.size === 0) stop();
    },
    close: stop,
  };
}
