import { randomUUID } from 'node:crypto';
import type { TraceContext } from '../../telemetry/tracing/context.js';
import { isJson, type Slice, scanObject } from './json-scan.js';
import type { EnvelopeOverrides } from './publish-metadata.js';

/** CloudEvents 1.0 JSON envelopes as Dapr makes them (reference §2.4), built around the payload's own bytes. */

export const ENVELOPE_CONTENT_TYPE = 'application/cloudevents+json';
const DEFAULT_TYPE = 'com.dapr.event.sent';
const SPEC_VERSION = '1.0';

export interface WrapRequest {
  readonly data: Buffer;
  /** As the publisher sent it; empty: text/plain. */
  readonly contentType: string;
  readonly topic: string;
  readonly pubsubName: string;
  /** The publisher's app id. */
  readonly source: string;
  readonly trace: TraceContext;
  readonly overrides: EnvelopeOverrides;
  /** When the event ends, milliseconds since the epoch; undefined: never, or the broker sees to it. */
  readonly expiresAtMs?: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** @returns `contentType` without parameters, in lower case */
export function mediaType(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

const isJsonType = (type: string): boolean => type === 'application/json' || type.endsWith('+json');

/**
 * Puts a payload into an envelope; one that is an envelope already keeps its fields.
 * @throws Error when the content type says CloudEvent and the payload is not a JSON object
 */
export function wrapEvent(request: WrapRequest): Buffer {
  const type = mediaType(request.contentType);
  return type === ENVELOPE_CONTENT_TYPE ? completeEnvelope(request) : newEnvelope(request, type);
}

function newEnvelope(request: WrapRequest, type: string): Buffer {
  const { overrides, trace } = request;
  const traceId = overrides.traceparent || overrides.traceid || trace.traceparent;
  const tracestate = overrides.tracestate || trace.tracestate;
  // Joined by hand: every value is quoted once, the payload's bytes follow as they are.
  let head =
    `{"id":${quote(overrides.id || randomUUID())},"specversion":"${SPEC_VERSION}"` +
    `,"type":${quote(overrides.type || DEFAULT_TYPE)},"source":${quote(overrides.source || request.source || 'Dapr')}` +
    `,"datacontenttype":${quote(request.contentType || 'text/plain')}` +
    `,"topic":${quote(request.topic)},"pubsubname":${quote(request.pubsubName)}` +
    `,"time":"${new Date(request.nowMs).toISOString()}"`;
  if (traceId) head += `,"traceid":${quote(traceId)},"traceparent":${quote(traceId)}`;
  if (tracestate) head += `,"tracestate":${quote(tracestate)}`;
  if (overrides.subject) head += `,"subject":${quote(overrides.subject)}`;
  if (request.expiresAtMs !== undefined) head += `,"expiration":"${new Date(request.expiresAtMs).toISOString()}"`;
  return withData(head, request.data, type);
}

function withData(head: string, data: Buffer, type: string): Buffer {
  if (type === 'application/octet-stream') return Buffer.from(`${head},"data_base64":"${data.toString('base64')}"}`);
  // Invalid JSON degrades to a string, as does everything that is not JSON.
  if (!isJsonType(type) || !isJson(data)) return Buffer.from(`${head},"data":${JSON.stringify(data.toString())}}`);
  return splice(`${head},"data":`, data, '}');
}

function splice(head: string, middle: Buffer, tail: string): Buffer {
  const headBytes = Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(headBytes + middle.length + tail.length);
  bytes.write(head, 0);
  middle.copy(bytes, headBytes);
  bytes.write(tail, headBytes + middle.length, 'latin1');
  return bytes;
}

/** The publisher's envelope with its own fields and extensions; where it came from, where it goes and the trace are ours to say. */
function completeEnvelope(request: WrapRequest): Buffer {
  const { data, trace } = request;
  const fields = scanObject(data);
  if (!fields) throw new Error('the body is not a JSON object, as application/cloudevents+json must be');
  const forced = new Map<string, string>([
    ['topic', quote(request.topic)],
    ['pubsubname', quote(request.pubsubName)],
  ]);
  if (trace.traceparent) forced.set('traceid', quote(trace.traceparent)).set('traceparent', quote(trace.traceparent));
  if (trace.tracestate) forced.set('tracestate', quote(trace.tracestate));
  if (request.expiresAtMs !== undefined) forced.set('expiration', `"${new Date(request.expiresAtMs).toISOString()}"`);
  fill(forced, fields, data, {
    id: () => quote(randomUUID()),
    source: () => quote(request.source || 'Dapr'),
    type: () => `"${DEFAULT_TYPE}"`,
    specversion: () => `"${SPEC_VERSION}"`,
    time: () => `"${new Date(request.nowMs).toISOString()}"`,
  });
  const parts: Buffer[] = [];
  for (const [name, slice] of fields) {
    if (forced.has(name)) continue;
    parts.push(Buffer.from(`${parts.length === 0 ? '{' : ','}${quote(name)}:`), data.subarray(slice.start, slice.end));
  }
  for (const [name, value] of forced) parts.push(Buffer.from(`${parts.length === 0 ? '{' : ','}"${name}":${value}`));
  parts.push(Buffer.from('}'));
  return Buffer.concat(parts);
}

function fill(
  forced: Map<string, string>,
  fields: ReadonlyMap<string, Slice>,
  data: Buffer,
  defaults: Record<string, () => string>,
): void {
  for (const [name, value] of Object.entries(defaults)) {
    const slice = fields.get(name);
    const given = slice && data.toString('latin1', slice.start, slice.end);
    if (given === undefined || given === 'null' || given === '""') forced.set(name, value());
  }
}

/** @returns the envelope that a subscription with `rawPayload` gets around a message that has none */
export function wrapRawMessage(
  message: { readonly data: Buffer; readonly metadata: Readonly<Record<string, string>> },
  topic: string,
  pubsubName: string,
): Buffer {
  const { traceid, traceparent, tracestate } = message.metadata;
  let head =
    `{"id":"${randomUUID()}","specversion":"${SPEC_VERSION}","type":"${DEFAULT_TYPE}","source":"Dapr"` +
    `,"datacontenttype":"application/octet-stream","topic":${quote(topic)},"pubsubname":${quote(pubsubName)}`;
  if (traceparent ?? traceid) head += `,"traceid":${quote(traceparent ?? traceid ?? '')}`;
  if (traceparent) head += `,"traceparent":${quote(traceparent)}`;
  if (tracestate) head += `,"tracestate":${quote(tracestate)}`;
  return withData(head, message.data, 'application/octet-stream');
}

/** JSON.stringify for the common string that needs no escape. */
function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly the characters that JSON must escape
  return /["\\\u0000-\u001f\ud800-\udfff]/.test(text) ? JSON.stringify(text) : `"${text}"`;
}
