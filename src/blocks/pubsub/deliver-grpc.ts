import { randomUUID } from 'node:crypto';
import { grpcCode } from '../../errors.js';
import {
  TopicEventResponse_TopicEventResponseStatus as Status,
  type TopicEventBulkRequest,
  type TopicEventBulkRequestEntry,
  type TopicEventBulkResponse,
  type TopicEventRequest,
} from '../../gen/dapr/proto/runtime/v1/appcallback.js';
import type { AppCallback } from '../app/grpc-callback.js';
import { mediaType } from './cloudevent.js';
import type { Envelope } from './envelope.js';
import type { AppEvent, BulkEntry, EventSink, Outcome } from './sink.js';
import { SUCCESS } from './sink.js';

export interface GrpcSinkOptions {
  readonly callback: AppCallback;
  /** Milliseconds for one event. */
  readonly timeoutMs: number;
}

/** @returns the sink of a gRPC app: AppCallback.OnTopicEvent and OnBulkTopicEvent (reference §2.4, §2.5) */
export function createGrpcSink({ callback, timeoutMs }: GrpcSinkOptions): EventSink {
  return {
    async deliver(event, signal) {
      const options = { metadata: eventMetadata(event), timeoutMs, signal };
      try {
        const { status } = await callback.onTopicEvent(topicEventRequest(event), options);
        return statusOutcome(status);
      } catch (error) {
        return ignoredOrThrow(error);
      }
    },
    async deliverBulk(entries, signal) {
      const first = entries[0];
      if (!first) return [];
      const request = bulkRequest(entries, first.event);
      const options = { metadata: eventMetadata(first.event), timeoutMs, signal };
      try {
        return bulkOutcomes(await onBulk(callback, request, options), entries);
      } catch (error) {
        const outcome = ignoredOrThrow(error);
        return entries.map(() => outcome);
      }
    },
  };
}

async function onBulk(
  callback: AppCallback,
  request: TopicEventBulkRequest,
  options: Parameters<AppCallback['onBulkTopicEvent']>[1],
): Promise<TopicEventBulkResponse> {
  try {
    return await callback.onBulkTopicEvent(request, options);
  } catch (error) {
    if (!isUnimplemented(error)) throw error;
    return callback.onBulkTopicEventAlpha1(request, options);
  }
}

const isUnimplemented = (error: unknown): boolean => (error as { code?: unknown }).code === grpcCode.unimplemented;

function ignoredOrThrow(error: unknown): Outcome {
  if (isUnimplemented(error)) return { kind: 'ignore', reason: 'the app does not implement the callback' };
  throw error;
}

/** @returns the outcome by the status of a TopicEventResponse; unknown numbers are retried */
export function statusOutcome(status: Status): Outcome {
  if (status === Status.SUCCESS) return SUCCESS;
  if (status === Status.DROP) return { kind: 'drop', reason: 'app answered DROP' };
  return { kind: 'retry', reason: status === Status.RETRY ? 'app answered RETRY' : `app answered the unknown status ${status}` };
}

function bulkOutcomes(response: TopicEventBulkResponse, entries: readonly BulkEntry[]): readonly Outcome[] {
  const byEntry = new Map(response.statuses.map(({ entryId, status }) => [entryId, status]));
  return entries.map((entry): Outcome => {
    const status = byEntry.get(entry.entryId);
    return status === undefined ? { kind: 'retry', reason: 'app gave no status for the entry' } : statusOutcome(status);
  });
}

function eventMetadata(event: AppEvent): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(event.metadata)) {
    // Names of the protocol, of the sidecar and of its callers are not the publisher's to choose.
    if (!/^(grpc-|dapr-|x-weft-|:|content-type$|te$|user-agent$|authorization$)/i.test(name)) metadata[name] = value;
  }
  metadata.pubsubname = event.pubsubName;
  const traceparent = event.trace?.traceparent ?? event.envelope.text('traceparent') ?? event.envelope.text('traceid');
  if (traceparent) metadata.traceparent = traceparent;
  const tracestate = event.trace?.tracestate ?? event.envelope.text('tracestate');
  if (tracestate) metadata.tracestate = tracestate;
  return metadata;
}

/** @returns the event as gRPC apps and streaming clients get it */
export function topicEventRequest(event: AppEvent): TopicEventRequest {
  return { ...coreFields(event.envelope), topic: event.topic, pubsubName: event.pubsubName, path: event.path };
}

function coreFields(envelope: Envelope) {
  const dataContentType = envelope.text('datacontenttype') ?? '';
  return {
    id: envelope.text('id') ?? '',
    source: envelope.text('source') ?? '',
    type: envelope.text('type') ?? '',
    specVersion: envelope.text('specversion') ?? '',
    dataContentType,
    data: payload(envelope, dataContentType),
    extensions: extensions(envelope),
  };
}

/** JSON stays as it stands in the envelope; text and base64 are decoded. */
function payload(envelope: Envelope, dataContentType: string): Buffer {
  const base64 = envelope.text('data_base64');
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  const raw = envelope.raw('data');
  if (!raw) return Buffer.alloc(0);
  const type = mediaType(dataContentType);
  if (type === 'application/json' || type.endsWith('+json')) return raw;
  const text = envelope.text('data');
  return text === undefined ? raw : Buffer.from(text);
}

const CORE = new Set(['id', 'source', 'datacontenttype', 'type', 'specversion', 'data', 'data_base64']);

function extensions(envelope: Envelope): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const name of envelope.names()) {
    if (CORE.has(name)) continue;
    const raw = envelope.raw(name);
    found[name] = raw ? (JSON.parse(raw.toString()) as unknown) : null;
  }
  return found;
}

function bulkRequest(entries: readonly BulkEntry[], event: AppEvent): TopicEventBulkRequest {
  return {
    id: randomUUID(),
    entries: entries.map(bulkEntry),
    metadata: { ...event.metadata, pubsubName: event.pubsubName },
    topic: event.topic,
    pubsubName: event.pubsubName,
    type: 'com.dapr.event.sent.bulk',
    path: event.path,
  };
}

function bulkEntry(entry: BulkEntry): TopicEventBulkRequestEntry {
  return {
    entryId: entry.entryId,
    event: entry.raw ? { $case: 'bytes', value: entry.data } : { $case: 'cloudEvent', value: coreFields(entry.event.envelope) },
    contentType: entry.contentType,
    metadata: { ...entry.event.metadata },
  };
}
