import { type handleBidiStreamingCall, type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { CallWithPeer } from '../control/ca/peer.js';
import type { PeerCheck } from '../control/peer-check.js';
import type { ProxyStatusPort } from '../control/status.js';
import { AggregatedDiscoveryServiceService as Ads } from '../gen/envoy/service/discovery/v3/ads.js';
import type { DeltaDiscoveryRequest, DiscoveryRequest } from '../gen/envoy/service/discovery/v3/discovery.js';
import { type NodeIdentity, nodeId, parseNodeId } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { encodeDelta, type Push } from './encode.js';
import { createRecords, describeRecord, describeSent } from './proxy-records.js';
import type { DeltaRequest } from './request-decision.js';
import type { SnapshotSource } from './resource.js';
import { PUSH_ORDER, resourceTypes, type TypeUrl } from './resource-types.js';
import { createStateSide, type StateRequest } from './state-of-the-world.js';
import { type AdsStream, createAdsStream } from './stream.js';
import { createPacer, createTransport, type SlowClientLimits } from './transport.js';

export interface AdsMetrics {
  pushed(typeUrl: TypeUrl, resources: number, bytes: number): void;
  nacked(typeUrl: TypeUrl): void;
  streams(count: number): void;
  slowClientCut(): void;
}

export interface AdsServerOptions {
  readonly maxStreams: number;
  readonly limits: SlowClientLimits;
  /** How long a node's routes wait for the endpoints of its new clusters, in milliseconds. */
  readonly warmingMs: number;
}

export const ADS_DEFAULTS: AdsServerOptions = {
  maxStreams: 20_000,
  limits: { maxStallMs: 10_000, maxBufferedBytes: 64 * 1024 * 1024 },
  warmingMs: 5_000,
};

export interface AdsServerDeps {
  readonly source: SnapshotSource;
  readonly logger: Logger;
  readonly metrics: AdsMetrics;
  /** Default: anybody may be anyone. */
  readonly peerCheck?: PeerCheck;
  /** Told of every client that was let in. */
  readonly notePeer?: (call: CallWithPeer, instanceId: string) => void;
}

/** The ADS service and what others may ask it. */
export interface AdsServer {
  readonly status: ProxyStatusPort;
  /**
   * Resolves true when every Envoy that is connected has acknowledged the endpoints as they are now; false after `deadlineMs`.
   * Envoys that disconnect meanwhile are not waited for.
   */
  endpointsAcked(deadlineMs: number): Promise<boolean>;
  /**
   * Resolves true when every connected Envoy has answered clusters, endpoints, listeners and routes as they are now, and every
   * filter service the placement of actors; false after `deadlineMs`. What a proxy refuses, or a proxy that leaves, holds up nobody.
   */
  settled(deadlineMs: number): Promise<boolean>;
  close(): void;
}

/** Large responses on their way at once, to all clients together, and for how long one counts. */
const PACED_RESPONSES = 64;
const PACE_HOLD_MS = 200;

type AdsCall = ServerDuplexStream<unknown, Buffer>;
type Encode = (push: Push) => Buffer;

/** Adds the AggregatedDiscoveryService to `server`. */
export function addAdsService(server: Server, deps: AdsServerDeps, options: AdsServerOptions = ADS_DEFAULTS): AdsServer {
  const { source, logger, metrics } = deps;
  const records = createRecords(options.maxStreams);
  const streams = new Map<string, OpenStream>();
  const pacer = createPacer(PACED_RESPONSES, PACE_HOLD_MS);
  const waiters = new Set<(stream: AdsStream) => void>();
  let revision = 0;
  const progressed = (stream: AdsStream) => {
    for (const check of waiters) check(stream);
  };
  const pushes = createPushQueue((id) => streams.get(id)?.refresh(revision));
  const stopListening = source.onChange(() => {
    revision += 1;
    pushes.addAll(streams.keys());
  });

  /** @returns the stream of the node with this id, undefined when it is refused */
  function open(call: AdsCall, id: string, encode: Encode, refreshed: () => void = () => {}): AdsStream | undefined {
    const node = parseNodeId(id);
    if (!node)
      return void fail(call, status.INVALID_ARGUMENT, `node id "${id}" is not <role>~<namespace>~<app id>~<instance id>`);
    const stranger = deps.peerCheck?.(call, node);
    if (stranger) {
      logger.warn('a proxy was refused', { node: id, reason: stranger });
      return void fail(call, status.PERMISSION_DENIED, stranger);
    }
    deps.notePeer?.(call, node.instanceId);
    if (streams.size >= options.maxStreams)
      return void fail(call, status.RESOURCE_EXHAUSTED, `this control plane serves ${options.maxStreams} streams at most`);
    streams.get(id)?.end(status.ABORTED, 'the node has opened a newer stream');
    const log = logger.child({ node: id });
    const transport = createTransport(
      call,
      (push) => encoded(push),
      { limits: options.limits, pacer },
      {
        resumed: () => stream.resume(),
        cut: (reason) => {
          metrics.slowClientCut();
          log.warn('slow client cut off', { reason });
          ended();
        },
      },
    );
    const encoded = (push: Push) => {
      const message = encode(push);
      metrics.pushed(push.typeUrl, push.upserts.length, message.byteLength);
      return { message, bytes: message.byteLength };
    };
    const stream = createAdsStream({
      node,
      record: records.of(node),
      source,
      transport,
      wallClock: Date.now,
      warmingMs: options.warmingMs,
      events: {
        pushed: ({ typeUrl, upserts, removals, nonce }) =>
          log.debug('pushed', { typeUrl, resources: upserts.length, removed: removals.length, nonce }),
        nacked(typeUrl, message) {
          metrics.nacked(typeUrl);
          log.warn('configuration refused by proxy', { typeUrl, error: message });
        },
        progressed: () => progressed(stream),
      },
    });
    const ended = () => {
      transport.close();
      stream.close();
      if (streams.get(id)?.stream === stream) streams.delete(id);
      metrics.streams(streams.size);
      progressed(stream);
    };
    const end = (code: status, why: string) => {
      ended();
      fail(call, code, why);
    };
    const refresh = (next: number) => {
      stream.refresh(next);
      refreshed();
    };
    streams.set(id, { stream, end, refresh });
    stream.refresh(revision);
    metrics.streams(streams.size);
    for (const event of ['cancelled', 'close', 'error']) call.on(event, ended);
    return stream;
  }

  const delta: handleBidiStreamingCall<DeltaDiscoveryRequest, Buffer> = (call) => {
    let stream: AdsStream | undefined;
    listen(call, (request) => {
      stream ??= open(call, request.node?.id ?? '', encodeDelta);
      const typeUrl = stream && knownType(stream, request);
      if (typeUrl) stream?.request(typeUrl, toDeltaRequest(request));
    });
  };

  const stateOfTheWorld: handleBidiStreamingCall<DiscoveryRequest, Buffer> = (call) => {
    let stream: AdsStream | undefined;
    const side = createStateSide(() => stream as AdsStream, source.settling);
    listen(call, (request) => {
      stream ??= open(call, request.node?.id ?? '', side.encode, side.release);
      const typeUrl = stream && knownType(stream, request);
      if (typeUrl) side.request(typeUrl, toStateRequest(request));
    });
  };

  const knownType = ({ node }: AdsStream, { typeUrl }: { readonly typeUrl: string }): TypeUrl | undefined => {
    const known = PUSH_ORDER.find((url) => url === typeUrl);
    if (!known) logger.warn('unknown resource type requested', { node: nodeId(node), typeUrl });
    return known;
  };

  server.addService(ADS_SERVICE, { deltaAggregatedResources: delta, streamAggregatedResources: stateOfTheWorld });

  return {
    status: {
      types: resourceTypes,
      proxies: () => records.all().map(describeRecord),
      sent(id, typeUrl) {
        const record = records.byId(id);
        const known = PUSH_ORDER.find((url) => url === typeUrl);
        return record && known ? describeSent(record, known) : undefined;
      },
    },
    endpointsAcked(deadlineMs) {
      const wanted = revision;
      const settled = (stream: AdsStream) =>
        streams.get(nodeId(stream.node))?.stream !== stream || stream.inStep(resourceTypes.endpoint, wanted);
      const waitedFor = [...streams.values()].map(({ stream }) => stream).filter(({ node }) => node.role === 'envoy');
      return allSettled(waitedFor, settled, waiters, deadlineMs);
    },
    settled(deadlineMs) {
      const wanted = revision;
      const settled = (stream: AdsStream) =>
        streams.get(nodeId(stream.node))?.stream !== stream || stream.settled(CALL_TYPES[stream.node.role], wanted);
      return allSettled(
        [...streams.values()].map(({ stream }) => stream),
        settled,
        waiters,
        deadlineMs,
      );
    },
    close() {
      stopListening();
      for (const { end } of [...streams.values()]) end(status.UNAVAILABLE, 'the control plane stops');
    },
  };
}

interface OpenStream {
  readonly stream: AdsStream;
  refresh(revision: number): void;
  end(code: status, why: string): void;
}

function listen<In>(call: ServerDuplexStream<In, Buffer>, onRequest: (request: In) => void): void {
  call.on('error', () => {});
  call.on('end', () => call.end());
  call.on('data', onRequest);
}

const asItIs = (message: Buffer): Buffer => message;

/** The generated service, except that responses are put together from shared encoded parts (encode.ts). */
const ADS_SERVICE = {
  ...Ads,
  deltaAggregatedResources: { ...Ads.deltaAggregatedResources, responseSerialize: asItIs },
  streamAggregatedResources: { ...Ads.streamAggregatedResources, responseSerialize: asItIs },
} as const;

/** Envoy's messages run over lines; in a log, a table and a metric they are one. */
const errorOf = ({ errorDetail }: Pick<DiscoveryRequest, 'errorDetail'>): string | undefined =>
  errorDetail && (errorDetail.message.replace(/\s+/g, ' ').trim() || `code ${errorDetail.code}`);

function toStateRequest(request: DiscoveryRequest): StateRequest {
  const { versionInfo, resourceNames, responseNonce } = request;
  return { version: versionInfo, names: resourceNames, nonce: responseNonce, error: errorOf(request) };
}

function toDeltaRequest(request: DeltaDiscoveryRequest): DeltaRequest {
  return {
    nonce: request.responseNonce,
    error: errorOf(request),
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initialVersions: new Map(Object.entries(request.initialResourceVersions)),
  };
}

function fail<In, Out>(call: ServerDuplexStream<In, Out>, code: status, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code, details }));
}

/** What a call needs, whoever carries it. */
const CALL_TYPES: Readonly<Record<NodeIdentity['role'], readonly TypeUrl[]>> = {
  envoy: [resourceTypes.cluster, resourceTypes.endpoint, resourceTypes.listener, resourceTypes.route],
  service: [resourceTypes.placement],
};

/** Looks at a stream again only when it has progressed: a look at a thousand streams after each ACK would be a million looks. */
function allSettled(
  streams: readonly AdsStream[],
  settled: (stream: AdsStream) => boolean,
  waiters: Set<(stream: AdsStream) => void>,
  deadlineMs: number,
): Promise<boolean> {
  const left = new Set(streams.filter((stream) => !settled(stream)));
  if (left.size === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const finish = (result: boolean) => {
      waiters.delete(check);
      clearTimeout(timer);
      resolve(result);
    };
    const check = (stream: AdsStream) => {
      if (left.has(stream) && settled(stream)) left.delete(stream);
      if (left.size === 0) finish(true);
    };
    const timer = setTimeout(() => finish(false), deadlineMs).unref();
    waiters.add(check);
  });
}

/**
 * Each stream is in the queue at most once; queues are worked off in slices, so that requests are served in between and the first proxies
 * have work while the others' is made: HTTP/2 writes what a turn has sent when the turn ends.
 */
function createPushQueue(push: (id: string) => void): { addAll(ids: Iterable<string>): void } {
  const SLICE_MS = 2;
  const queued = new Set<string>();
  let running = false;
  const work = () => {
    const end = performance.now() + SLICE_MS;
    for (const id of queued) {
      queued.delete(id);
      push(id);
      if (performance.now() > end) break;
    }
    running = queued.size > 0;
    if (running) setImmediate(work);
  };
  return {
    addAll(ids) {
      for (const id of ids) queued.add(id);
      if (running || queued.size === 0) return;
      running = true;
      work();
    },
  };
}
