import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MaybePromise, StateEntry } from '../../blocks/state/contract.js';
import type { BulkEntry, StateService } from '../../blocks/state/service.js';
import { rawJson } from '../../lib/raw-json.js';
import { expireTime } from '../expire-time.js';
import { callerOf } from './caller.js';
import { sendEmpty, sendJson } from './reply.js';
import type { HttpRoute } from './route.js';
import { bulkGetBody, saveItems, transactionBody } from './state-body.js';
import { queryMetadata, queryValue } from './url.js';

type Params = { readonly store: string; readonly key: string };

/** The state API over HTTP (reference §1.4). */
export function stateRoutes(service: StateService): HttpRoute[] {
  const route = (operation: string, methods: readonly string[], path: string, handle: HttpRoute['handle']): HttpRoute => ({
    operation,
    methods,
    path,
    handle,
    versions: ['v1.0'],
    group: 'state',
  });
  const write = ['POST', 'PUT'];
  return [
    route('GetState', ['GET'], '/state/:store/:key', (request, reply) => getState(service, request, reply)),
    route('DeleteState', ['DELETE'], '/state/:store/:key', (request, reply) => deleteState(service, request, reply)),
    route('SaveState', write, '/state/:store', (request, reply) => saveState(service, request, reply)),
    route('GetBulkState', write, '/state/:store/bulk', (request, reply) => getBulkState(service, request, reply)),
    route('ExecuteStateTransaction', write, '/state/:store/transaction', (request, reply) => transact(service, request, reply)),
  ];
}

function getState(service: StateService, request: FastifyRequest, reply: FastifyReply): unknown {
  const { store, key } = request.params as Params;
  const options = request.raw.url?.includes('?')
    ? { consistency: queryValue(request, 'consistency'), metadata: queryMetadata(request) }
    : undefined;
  const entry = service.get(store, key, options, callerOf(reply));
  return entry instanceof Promise ? entry.then((found) => sendEntry(reply, found)) : sendEntry(reply, entry);
}

function sendEntry(reply: FastifyReply, entry: StateEntry | undefined): void {
  if (entry === undefined) {
    sendEmpty(reply);
    return;
  }
  const { expiresAtMs } = entry;
  const headers = ['etag', entry.etag];
  if (expiresAtMs !== undefined) headers.push('metadata.ttlExpireTime', expireTime(expiresAtMs));
  sendJson(reply, entry.value, headers);
}

function deleteState(service: StateService, request: FastifyRequest, reply: FastifyReply): unknown {
  const { store, key } = request.params as Params;
  const etag = request.headers['if-match'];
  const item = {
    key,
    etag,
    concurrency: queryValue(request, 'concurrency'),
    consistency: queryValue(request, 'consistency'),
    metadata: queryMetadata(request),
  };
  return whenDone(service.delete(store, item, callerOf(reply)), reply);
}

function saveState(service: StateService, request: FastifyRequest, reply: FastifyReply): unknown {
  const { store } = request.params as Params;
  const metadata = queryMetadata(request);
  const items = saveItems(request.body).map((item) => withMetadata(item, metadata));
  return whenDone(service.save(store, items, callerOf(reply)), reply);
}

function getBulkState(service: StateService, request: FastifyRequest, reply: FastifyReply): unknown {
  const { store } = request.params as Params;
  const bulk = bulkGetBody(request.body);
  const entries = service.bulkGet(store, withMetadata(bulk, queryMetadata(request)), callerOf(reply));
  return entries instanceof Promise ? entries.then((found) => sendBulk(reply, found)) : sendBulk(reply, entries);
}

function transact(service: StateService, request: FastifyRequest, reply: FastifyReply): unknown {
  const { store } = request.params as Params;
  const query = queryMetadata(request);
  const { items, metadata } = transactionBody(request.body);
  // The transaction's metadata holds for each operation, such as a common time to live.
  const shared = metadata ? { ...metadata, ...query } : query;
  const operations = items.map((operation) => ({ ...operation, item: withMetadata(operation.item, shared) }) as typeof operation);
  return whenDone(service.transact(store, operations, shared, callerOf(reply)), reply);
}

/** Query parameters win over the body (reference §1.4). */
function withMetadata<T extends { readonly metadata?: Readonly<Record<string, string>> | undefined }>(
  item: T,
  metadata: Readonly<Record<string, string>>,
): T {
  for (const _ in metadata) return { ...item, metadata: { ...item.metadata, ...metadata } };
  return item;
}

function whenDone(done: MaybePromise<void>, reply: FastifyReply): unknown {
  return done instanceof Promise ? done.then(() => sendEmpty(reply)) : sendEmpty(reply);
}

/** Put together by hand, since `data` holds stored bytes that go out as they are. */
function sendBulk(reply: FastifyReply, entries: readonly BulkEntry[]): void {
  const parts: Buffer[] = [];
  for (const { key, entry, error } of entries) {
    const start = `${parts.length === 0 ? '[' : ','}{"key":${JSON.stringify(key)}`;
    if (entry === undefined) {
      parts.push(Buffer.from(`${start}${error === undefined ? '' : `,"error":${JSON.stringify(error)}`}}`));
      continue;
    }
    const { etag, expiresAtMs } = entry;
    const metadata = expiresAtMs === undefined ? '' : `,"metadata":{"ttlExpireTime":"${expireTime(expiresAtMs)}"}`;
    parts.push(Buffer.from(`${start},"data":`), asJson(entry.value), Buffer.from(`,"etag":${JSON.stringify(etag)}${metadata}}`));
  }
  parts.push(Buffer.from(parts.length === 0 ? '[]' : ']'));
  sendJson(reply, Buffer.concat(parts));
}

/** A value that came over gRPC may be no JSON: inside a JSON document it can only stand as base64 text. */
function asJson(value: Buffer): Buffer {
  try {
    rawJson(value);
    return value;
  } catch {
    return Buffer.from(JSON.stringify(value.toString('base64')));
  }
}
