import { randomBytes } from 'node:crypto';
import { AppError, messageOf } from '../../errors.js';
import type { TraceContext } from '../../telemetry/tracing/context.js';
import { type Caller, componentFor } from '../caller.js';
import type { HostedComponent } from '../component-loader.js';
import { ENVELOPE_CONTENT_TYPE, wrapEvent } from './cloudevent.js';
import type { Message, PublishRequest } from './contract.js';
import { type PublishMetadata, readPublishMetadata, travellingMetadata } from './publish-metadata.js';
import { type TopicScopes, topicScopes } from './scopes.js';

export type HostedPubSub = HostedComponent<'pubsub'>;

/** Where pub/sub components are looked up: the component host. */
export interface PubSubLookup {
  pubsub(name: string): HostedPubSub | undefined;
  all(block: 'pubsub'): readonly HostedPubSub[];
}

export interface PublishCall {
  readonly pubsubName: string;
  readonly topic: string;
  readonly data: Buffer;
  /** Empty: text/plain. */
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Of the request; without a traceparent the event starts a trace. */
  readonly trace: TraceContext;
  readonly caller?: Caller;
}

export interface BulkPublishEntry {
  readonly entryId: string;
  readonly data: Buffer;
  readonly contentType: string;
  /** When it has a span of its own. Default: the request's. */
  readonly trace?: TraceContext;
  /** Undefined: the entry carries none, and the request's does not apply to it either (reference §1.5). */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface BulkPublishCall {
  readonly pubsubName: string;
  readonly topic: string;
  readonly entries: readonly BulkPublishEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly trace: TraceContext;
  readonly caller?: Caller;
}

export interface FailedEntry {
  readonly entryId: string;
  readonly error: string;
}

export interface Publisher {
  /** @throws AppError when the component is not there or the topic is empty: what is wrong first is said first */
  check(target: Pick<PublishCall, 'pubsubName' | 'topic'>): void;
  /** @throws AppError of the pubsub rows */
  publish(call: PublishCall): Promise<void>;
  /** @returns the entries that were not published @throws AppError when none could be tried */
  bulkPublish(call: BulkPublishCall): Promise<readonly FailedEntry[]>;
  /** Publishes a received message as it is: to a dead-letter topic. @throws AppError */
  forward(pubsubName: string, topic: string, message: Message): Promise<void>;
}

export interface PublisherOptions {
  readonly host: PubSubLookup;
  readonly appId: string;
  readonly namespace: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Most publishes of one bulk request at a time, for brokers without bulk of their own (reference §1.5). */
const BULK_PARALLEL = 100;

/** @returns the publishing half of the block */
export function createPublisher(options: PublisherOptions): Publisher {
  const { host, appId, now } = options;
  // Scopes are read once for each component version: the hosted object changes with it.
  const scopes = new WeakMap<HostedPubSub, TopicScopes>();
  const newTrace = traceSource();

  const find = (pubsubName: string, topic: string): HostedPubSub => {
    const hosted = host.pubsub(pubsubName);
    if (!hosted) throw missing(host, pubsubName, appId);
    if (topic === '') throw new AppError('topicNameEmpty', { name: pubsubName });
    return hosted;
  };
  const permit = (hosted: HostedPubSub, topic: string): void => {
    const scope = scopes.get(hosted) ?? topicScopes(hosted.spec.metadata, appId);
    scopes.set(hosted, scope);
    if (scope.mayPublish(topic)) return;
    const err = `topic ${topic} is not allowed for app id ${appId}`;
    throw new AppError('pubsubForbidden', { name: hosted.name, topic, appId, err });
  };
  const send = async (hosted: HostedPubSub, topic: string, request: PublishRequest, caller?: Caller): Promise<void> => {
    try {
      await hosted.slot.track(componentFor(hosted, caller).publish(request));
    } catch (error) {
      throw new AppError('pubsubPublish', { name: hosted.name, topic }, error);
    }
  };
  const brokerTopic = (hosted: HostedPubSub, topic: string) => (hosted.namespaced ? options.namespace + topic : topic);
  const request = (hosted: HostedPubSub, call: PublishCall, meta: PublishMetadata): PublishRequest => ({
    ...payload(call, meta, { hosted, newTrace, appId, nowMs: now() }),
    topic: brokerTopic(hosted, call.topic),
  });

  return {
    check: ({ pubsubName, topic }) => void find(pubsubName, topic),
    async publish(call) {
      const hosted = find(call.pubsubName, call.topic);
      const prepared = request(hosted, call, readMetadata(call.metadata, call.pubsubName));
      permit(hosted, call.topic);
      await send(hosted, call.topic, prepared, call.caller);
    },
    async bulkPublish(call) {
      const hosted = find(call.pubsubName, call.topic);
      checkEntryIds(call);
      const common = readMetadata(call.metadata, call.pubsubName);
      const requests = call.entries.map((entry) => {
        const metadata = entry.metadata ? { ...call.metadata, ...entry.metadata } : {};
        const meta = { ...readMetadata(metadata, call.pubsubName), rawPayload: common.rawPayload };
        return request(hosted, { ...call, ...entry, metadata }, meta);
      });
      permit(hosted, call.topic);
      return bulk(hosted, call, requests);
    },
    async forward(pubsubName, topic, { data, contentType, metadata }) {
      const hosted = find(pubsubName, topic);
      permit(hosted, topic);
      const type = contentType ?? ENVELOPE_CONTENT_TYPE;
      await send(hosted, topic, { topic: brokerTopic(hosted, topic), data, contentType: type, metadata });
    },
  };
}

/** @returns the error for a name that no component has (reference §1.2.1) */
export function missing(host: PubSubLookup, name: string, appId: string): AppError {
  if (host.all('pubsub').length === 0) return new AppError('pubsubNotConfigured', { name, appId });
  return name === '' ? new AppError('pubsubNameEmpty', { name }) : new AppError('pubsubNotFound', { name, appId });
}

function readMetadata(metadata: Readonly<Record<string, string>>, name: string): PublishMetadata {
  try {
    return readPublishMetadata(metadata);
  } catch (error) {
    throw new AppError('pubsubRequestMetadata', { name }, error);
  }
}

interface Surroundings {
  readonly hosted: HostedPubSub;
  readonly newTrace: () => TraceContext;
  readonly appId: string;
  readonly nowMs: number;
}

/** The bytes that go to the broker, and what goes beside them. */
function payload(
  call: PublishCall,
  meta: PublishMetadata,
  { hosted, newTrace, appId, nowMs }: Surroundings,
): Omit<PublishRequest, 'topic'> {
  const { data, contentType, topic, pubsubName } = call;
  const metadata = travellingMetadata(call.metadata);
  const brokerDrops = hosted.component.capabilities.includes('MESSAGE_TTL');
  if (meta.ttlMs !== undefined && brokerDrops) metadata.ttlInSeconds = String(meta.ttlMs / 1000);
  if (meta.rawPayload) {
    if (call.trace.traceparent) metadata.traceparent = call.trace.traceparent;
    if (call.trace.tracestate) metadata.tracestate = call.trace.tracestate;
    return { data, contentType, metadata };
  }
  try {
    const envelope = wrapEvent({
      data,
      contentType,
      topic,
      pubsubName,
      source: appId,
      trace: call.trace.traceparent || contentType.startsWith(ENVELOPE_CONTENT_TYPE) ? call.trace : newTrace(),
      overrides: meta.overrides,
      expiresAtMs: meta.ttlMs === undefined || brokerDrops ? undefined : nowMs + meta.ttlMs,
      nowMs,
    });
    return { data: envelope, contentType: ENVELOPE_CONTENT_TYPE, metadata };
  } catch (error) {
    throw new AppError('pubsubCloudEventCreation', { name: pubsubName, appId }, error);
  }
}

/** Bytes of a trace id and a span id; the operating system is asked for many of them at a time, since each question costs more than the rest of an envelope. */
const TRACE_BYTES = 24;
const TRACES_AT_A_TIME = 128;

/** @returns traces for events whose publisher sent none, not sampled: subscribers rely on `traceid` */
function traceSource(): () => TraceContext {
  let pool = '';
  let at = 0;
  return () => {
    if (at >= pool.length) {
      pool = randomBytes(TRACE_BYTES * TRACES_AT_A_TIME).toString('hex');
      at = 0;
    }
    const traceparent = `00-${pool.slice(at, at + 32)}-${pool.slice(at + 32, at + 48)}-00`;
    at += TRACE_BYTES * 2;
    return { traceparent };
  };
}

function checkEntryIds({ entries, topic, pubsubName }: BulkPublishCall): void {
  const seen = new Set<string>();
  for (const { entryId } of entries) {
    if (entryId === '' || seen.has(entryId))
      throw new AppError('pubsubMarshalEvents', {
        name: pubsubName,
        topic,
        err: 'entryId is duplicated or not present for entry',
      });
    seen.add(entryId);
  }
}

async function bulk(
  hosted: HostedPubSub,
  { entries, caller }: BulkPublishCall,
  requests: readonly PublishRequest[],
): Promise<readonly FailedEntry[]> {
  const component = componentFor(hosted, caller);
  const failed = (index: number, error: string): FailedEntry => ({ entryId: entries[index]?.entryId ?? '', error });
  if (component.bulkPublish) {
    try {
      const failures = await hosted.slot.track(component.bulkPublish(requests));
      return failures.map(({ index, error }) => failed(index, error));
    } catch (error) {
      return entries.map((_, index) => failed(index, messageOf(error)));
    }
  }
  const failures: FailedEntry[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < requests.length; index = next++) {
      try {
        await hosted.slot.track(component.publish(requests[index] as PublishRequest));
      } catch (error) {
        failures.push(failed(index, messageOf(error)));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(BULK_PARALLEL, requests.length) }, worker));
  return failures;
}
