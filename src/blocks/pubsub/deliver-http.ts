import { randomUUID } from 'node:crypto';
import type { HttpChannel, HttpReply } from '../app/channel.js';
import { ENVELOPE_CONTENT_TYPE } from './cloudevent.js';
import type { AppEvent, BulkEntry, EventSink, Outcome } from './sink.js';
import { SUCCESS } from './sink.js';

export interface HttpSinkOptions {
  readonly http: HttpChannel;
  /** Milliseconds for one event: a handler that hangs must not hold its message for ever. */
  readonly timeoutMs: number;
}

/** @returns the sink of an HTTP app: POST to the route (reference §2.4, §2.5) */
export function createHttpSink({ http, timeoutMs }: HttpSinkOptions): EventSink {
  return {
    async deliver(event, signal) {
      const headers = eventHeaders(event);
      const { bytes } = event.envelope;
      const reply = await http.request({ method: 'POST', path: routePath(event), headers, body: bytes, signal, timeoutMs });
      return outcomeOf(reply);
    },
    async deliverBulk(entries, signal) {
      const first = entries[0];
      if (!first) return [];
      const headers = { ...messageHeaders(first.event), 'content-type': 'application/json' };
      const body = bulkBody(entries, first.event);
      const path = routePath(first.event);
      const reply = await http.request({ method: 'POST', path, headers, body, signal, timeoutMs });
      return bulkOutcomes(reply, entries);
    },
  };
}

function routePath(event: AppEvent): string {
  return event.path.startsWith('/') ? event.path : `/${event.path}`;
}

function eventHeaders(event: AppEvent): Record<string, string> {
  const headers = messageHeaders(event);
  headers['content-type'] = ENVELOPE_CONTENT_TYPE;
  const traceparent = event.trace?.traceparent ?? event.envelope.text('traceparent') ?? event.envelope.text('traceid');
  if (traceparent && isHeaderValue(traceparent)) headers.traceparent = traceparent;
  const tracestate = event.trace?.tracestate ?? event.envelope.text('tracestate');
  if (tracestate && isHeaderValue(tracestate)) headers.tracestate = tracestate;
  return headers;
}

/** Headers that a publisher must not choose: framing and connection, and names by which the app knows its sidecar or a caller. */
const RESERVED =
  /^(host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|content-(length|type|encoding)|traceparent|tracestate|authorization|cookie|forwarded|dapr-.*|x-weft-.*|x-forwarded-.*|x-envoy-.*|pubsubname)$/i;

function messageHeaders(event: AppEvent): Record<string, string> {
  const headers: Record<string, string> = { pubsubName: event.pubsubName };
  for (const [name, value] of Object.entries(event.metadata)) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name) && !RESERVED.test(name) && isHeaderValue(value)) headers[name] = value;
  }
  return headers;
}

function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/** @returns the outcome of one event by the app's reply; only 404 says that trying again is of no use */
export function outcomeOf(reply: Pick<HttpReply, 'status' | 'body'>): Outcome {
  if (reply.status === 404) return { kind: 'drop', reason: `app answered 404: ${excerpt(reply.body)}` };
  if (reply.status < 200 || reply.status > 299)
    return {
      kind: 'retry',
      reason: `app answered ${reply.status}: ${excerpt(reply.body)}`,
      reply: { protocol: 'http', code: reply.status },
    };
  const status = statusField(reply.body);
  switch (status) {
    case undefined:
    case '':
    case 'SUCCESS':
      return SUCCESS;
    case 'DROP':
      return { kind: 'drop', reason: 'app answered DROP' };
    case 'RETRY':
      return { kind: 'retry', reason: 'app answered RETRY' };
    default:
      return { kind: 'retry', reason: `app answered the unknown status ${status.slice(0, 100)}` };
  }
}

/** @returns undefined when the body says nothing about a status, which counts as success */
function statusField(body: Buffer): string | undefined {
  if (body.length === 0) return undefined;
  const status = lowerKeys(parseJson(body)).status;
  return typeof status === 'string' ? status : undefined;
}

function bulkBody(entries: readonly BulkEntry[], event: AppEvent): Buffer {
  const { 'content-type': _, ...metadata } = messageHeaders(event);
  const parts: Buffer[] = [
    Buffer.from(
      `{"id":"${randomUUID()}","type":"com.dapr.event.sent.bulk","topic":${JSON.stringify(event.topic)}` +
        `,"pubsubname":${JSON.stringify(event.pubsubName)},"metadata":${JSON.stringify(metadata)},"entries":[`,
    ),
  ];
  for (const entry of entries) {
    const lead = parts.length === 1 ? '' : ',';
    const known = { entryId: entry.entryId, metadata: entry.event.metadata, contentType: entry.contentType };
    parts.push(Buffer.from(`${lead}${JSON.stringify(known).slice(0, -1)},"event":`));
    parts.push(entry.raw ? Buffer.from(`"${entry.data.toString('base64')}"`) : entry.event.envelope.bytes, CLOSE);
  }
  parts.push(Buffer.from(']}'));
  return Buffer.concat(parts);
}

const CLOSE = Buffer.from('}');

/** Unlike for a single event, what the app says nothing about is retried. */
function bulkOutcomes(reply: HttpReply, entries: readonly BulkEntry[]): readonly Outcome[] {
  if (reply.status < 200 || reply.status > 299) return entries.map(() => outcomeOf(reply));
  const { statuses } = lowerKeys(parseJson(reply.body));
  const byEntry = new Map<string, unknown>();
  for (const item of Array.isArray(statuses) ? statuses : []) {
    const { entryid, status } = lowerKeys(item);
    if (typeof entryid === 'string') byEntry.set(entryid, status);
  }
  return entries.map((entry): Outcome => {
    const status = byEntry.get(entry.entryId);
    if (status === 'SUCCESS') return SUCCESS;
    if (status === 'DROP') return { kind: 'drop', reason: 'app answered DROP' };
    return {
      kind: 'retry',
      reason: status === undefined ? 'app gave no status for the entry' : `app answered ${String(status)}`,
    };
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function lowerKeys(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]));
}

function excerpt(body: Buffer): string {
  return body.toString('utf8', 0, 200);
}
