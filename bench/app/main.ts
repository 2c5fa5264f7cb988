/**
 * The app under test: the cheapest server that answers what the rows need, the same for every subject. It also stands in for
 * the store and the broker where a subject has none (`direct`, `bare-envoy`), with the same bytes.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { large, sendEvents } from './bodies.js';
import { createPublisher, type Publisher } from './publisher.js';

const [role = 'plain', socketPath = ''] = process.argv.slice(2);
let served = 0;
let stored: Buffer = Buffer.from('{}');
let publisher: Publisher | undefined;

const JSON_TYPE = 'application/json';
const answers: Readonly<Record<string, string>> = {
  '/dapr/config': JSON.stringify(role === 'actors' ? { entities: ['BenchActor'] } : {}),
  '/dapr/subscribe': JSON.stringify(
    role === 'subscriber' ? [{ pubsubname: 'pubsub', topic: 'bench', route: '/bench/event' }] : [],
  ),
  '/healthz': '{}',
};

const reply = (response: ServerResponse, text: string | Buffer) => {
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': text.length });
  response.end(text);
};

const readBody = (request: IncomingMessage, then: (body: Buffer) => void) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => then(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
};

const onRequest: RequestListener = (request, response) => {
  const { method, url = '/' } = request;
  const fixed = method === 'GET' ? answers[url] : undefined;
  if (fixed !== undefined) return reply(response, fixed);
  served += 1;
  // Without a sidecar the whole path arrives.
  if (url.includes('/stream?')) return sendEvents(url, response);
  if (url.includes('/large/')) return large(request, response);
  if (method === 'GET') return reply(response, url.startsWith('/v1.0/state/') ? stored : 'pong');
  readBody(request, (body) => {
    if (url === '/bench/event') {
      publisher?.delivered(body);
      return reply(response, '{"status":"SUCCESS"}');
    }
    if (url.startsWith('/v1.0/publish/')) publisher?.delivered(body);
    else if (url.startsWith('/v1.0/state/'))
      stored = Buffer.from(JSON.stringify((JSON.parse(body.toString()) as { value: unknown }[])[0]?.value));
    else return reply(response, 'pong');
    response.writeHead(204).end();
  });
};

/** Answers any method with the request's own frame; Dapr's callbacks are declined. */
const onStream = (stream: ServerHttp2Stream, path: string) => {
  const callback = path.startsWith('/dapr.proto.') || path.startsWith('/grpc.');
  const chunks: Buffer[] = [];
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    // The load generator resets what is under way when its time is over.
    if (stream.destroyed || stream.aborted) return;
    if (callback) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
      return;
    }
    served += 1;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      if (!stream.destroyed) stream.sendTrailers({ 'grpc-status': '0' });
    });
    stream.end(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  });
};

const listen = (server: Server, at: number | string) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    const done = () => resolve((server.address() as AddressInfo | null)?.port ?? 0);
    if (typeof at === 'string') server.listen(at, done);
    else server.listen(at, '127.0.0.1', done);
  });

type Command =
  | { readonly id: number; readonly do: 'served' }
  | {
      readonly id: number;
      readonly do: 'publish';
      readonly port: number;
      readonly seconds: number;
      readonly connections: number;
    };

process.on('message', async (command: Command) => {
  if (command.do === 'served') return process.send?.({ id: command.id, value: served });
  publisher = createPublisher(command);
  process.send?.({ id: command.id, value: await publisher.run() });
});
process.on('disconnect', () => process.exit(0));

const http = createServer({ keepAliveTimeout: 600_000 }, onRequest);
const grpc = createHttp2Server().on('stream', (stream, headers) => onStream(stream, String(headers[':path'])));
if (socketPath) await listen(createServer({ keepAliveTimeout: 600_000 }, onRequest), socketPath);
process.send?.({ id: 0, value: { httpPort: await listen(http, 0), grpcPort: await listen(grpc as unknown as Server, 0) } });
