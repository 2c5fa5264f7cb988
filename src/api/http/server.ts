import http from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import { isDoor } from '../../lib/door-mark.js';
import { sameSecret } from '../../lib/same-secret.js';
import type { ApiBlock } from '../../model/access/api-rules.js';
import type { Logger } from '../../telemetry/logger.js';
import { hasBody, readBody } from './body.js';
import { createCors } from './cors.js';
import { errorBody, toAppError, writeError } from './errors.js';
import type { HttpHandle, ObserveHttp } from './observe.js';
import type { HttpRoute } from './route.js';
import { normalUrl } from './url.js';

export type { HttpHandle } from './observe.js';

/** True: it answers the request. */
export type Divert = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

export interface HttpServerOptions {
  readonly routes: readonly HttpRoute[];
  /** Whatever no route has, and a known path with another method: the invocation fallback. `request.body` is the unread stream. */
  readonly fallback: HttpHandle;
  /** Clients must send it as `dapr-api-token`; undefined: no check. */
  readonly apiToken?: string | undefined;
  /** Web pages that may use the API (`--allowed-origins`); undefined or empty: none. */
  readonly allowedOrigins?: string | undefined;
  /** Largest buffered request body, bytes (`--max-body-size`). */
  readonly maxBodyBytes: number;
  /** What counts and traces each request of a route. */
  readonly observe?: ObserveHttp | undefined;
  /** Told of each error that is answered. */
  readonly onError?: ((error: AppError) => void) | undefined;
  /** Largest request head, bytes (`--read-buffer-size`). Default: Node's 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Asked for every request that the API token lets pass, before any route is looked for. */
  readonly divert?: Divert | undefined;
  /** Whether a part of the API must not be served now; asked for every request. Default: never. */
  readonly blocked?: ApiBlock | undefined;
  readonly logger: Logger;
}

export interface ApiHttpServer {
  /** Also serves connections that others accepted: `server.emit('connection', socket)`. */
  readonly server: http.Server;
  /** Call once; more addresses join by handing their connections over. @throws Error when the address is taken */
  listen(where: string | ListenOptions): Promise<void>;
  /** Takes no new connection, lets requests under way end for at most `deadlineMs`, then cuts the rest. Idempotent. */
  close(deadlineMs?: number): Promise<void>;
}

const METHODS_WITH_BODY = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Requests that are sent on to others as they are, where the token must not go. */
const FORWARDED_GROUPS: ReadonlySet<string> = new Set(['invoke', 'actors']);
const TOKEN_HEADER = 'dapr-api-token';

const noSchemas = () => () => {
  throw new Error('API routes have no schemas');
};

/** @returns the API server, ready to serve; it listens nowhere yet */
export async function createHttpServer(options: HttpServerOptions): Promise<ApiHttpServer> {
  const app = fastify({
    exposeHeadRoutes: false,
    // No route has a schema; without these, fastify loads and sets up its schema compilers: 80 ms of every sidecar's start.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    genReqId: () => '',
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 65_536 },
    serverFactory: (handler) => createListener(options, handler),
    clientErrorHandler: (error, socket) => refuse(error, socket),
    frameworkErrors: (error, _request, reply) => fail(error, reply as unknown as FastifyReply, options),
  });
  // Bodies are read by `register`: fastify's parsers cost more and refuse content types that Dapr takes.
  for (const method of METHODS_WITH_BODY) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  for (const route of options.routes) register(app, route, options);
  app.setNotFoundHandler(fallbackOf(options));
  app.setErrorHandler((error, _request, reply) => fail(error, reply, options));
  await app.ready();
  return serve(app.server);
}

function register(app: FastifyInstance, route: HttpRoute, options: HttpServerOptions): void {
  const plain = route.stream ? streamed(route.handle, options) : buffered(route, options);
  const serve = options.observe?.(route, plain) ?? plain;
  const fallback = fallbackOf(options);
  const { blocked } = options;
  for (const version of route.versions) {
    const handler: HttpHandle = blocked
      ? (request, reply) => (blocked(route.group, version) ? fallback : serve)(request, reply)
      : serve;
    app.route({ method: [...route.methods], url: `/${version}${route.path}`, handler });
  }
}

/** Calls by name; a part of the API like the others. */
function fallbackOf(options: HttpServerOptions): HttpHandle {
  const serve = streamed(options.fallback, options);
  const { blocked } = options;
  if (!blocked) return serve;
  return (request, reply) =>
    blocked('invoke', 'v1.0') ? fail(new AppError('invokeNoTarget'), reply, options) : serve(request, reply);
}

function streamed(handle: HttpHandle, options: HttpServerOptions): HttpHandle {
  return (request, reply) => {
    withoutToken(request);
    request.body = request.raw;
    run(handle, request, reply, options);
  };
}

function buffered(route: HttpRoute, options: HttpServerOptions): HttpHandle {
  const { handle } = route;
  const forwards = FORWARDED_GROUPS.has(route.group);
  if (route.methods.every((method) => method === 'GET' || method === 'HEAD') && !forwards)
    return (request, reply) => run(handle, request, reply, options);
  return (request, reply) => {
    if (forwards) withoutToken(request);
    if (!hasBody(request.raw)) return run(handle, request, reply, options);
    readBody(request.raw, options.maxBodyBytes, (error, body) => {
      if (error) return fail(error, reply, options);
      request.body = body;
      run(handle, request, reply, options);
    });
  };
}

function withoutToken(request: FastifyRequest): void {
  if (request.headers[TOKEN_HEADER] !== undefined) delete request.headers[TOKEN_HEADER];
}

function run(handle: HttpHandle, request: FastifyRequest, reply: FastifyReply, options: HttpServerOptions): void {
  try {
    const result = handle(request, reply);
    if (result === undefined) return;
    if (result instanceof Promise) {
      result.then(
        (value) => finish(value, reply),
        (error) => fail(error, reply, options),
      );
    } else finish(result, reply);
  } catch (error) {
    fail(error, reply, options);
  }
}

function finish(value: unknown, reply: FastifyReply): void {
  if (value !== undefined && value !== reply && !reply.sent) reply.send(value);
}

function fail(error: unknown, reply: FastifyReply, options: HttpServerOptions): void {
  reply.hijack();
  const failure = toAppError(error, options.maxBodyBytes);
  options.onError?.(failure);
  writeError(reply.raw, failure, options.logger);
}

/** What is no HTTP at all never becomes a request, so the answer is written by hand. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const body = errorBody(new AppError('badRequest', {}, error));
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

function createListener(options: HttpServerOptions, handler: http.RequestListener): http.Server {
  const allowed = options.apiToken ? tokenCheck(options.apiToken) : undefined;
  const cors = options.allowedOrigins ? createCors(options.allowedOrigins) : undefined;
  const { divert } = options;
  const listener: http.RequestListener = (request, response) => {
    if (cors !== undefined && isDoor(request.socket) && cors(request, response)) return;
    if (allowed !== undefined && !allowed(request)) {
      response.writeHead(401, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 17 });
      response.end('invalid api token');
      return;
    }
    if (divert?.(request, response)) return;
    normalUrl(request);
    handler(request, response);
  };
  return http.createServer(
    {
      // Streams may take longer than Node's five minutes; Envoy and SDKs keep idle connections for reuse.
      requestTimeout: 0,
      keepAliveTimeout: 3_600_000,
      ...(options.maxHeaderBytes ? { maxHeaderSize: options.maxHeaderBytes } : {}),
    },
    listener,
  );
}

/** The raw request target, never decoded: no other spelling of these paths is exempt. */
const WITHOUT_TOKEN = /^\/v1\.0\/healthz(\/outbound)?(\?|$)/;

function tokenCheck(token: string): (request: http.IncomingMessage) => boolean {
  const expected = Buffer.from(token);
  return (request) => {
    const sent = request.headers[TOKEN_HEADER];
    if (sent !== undefined) delete request.headers[TOKEN_HEADER];
    if (request.method === 'GET' && WITHOUT_TOKEN.test(request.url ?? '')) return true;
    if (typeof sent !== 'string') return false;
    return sameSecret(Buffer.from(sent, 'latin1'), expected);
  };
}

function serve(server: http.Server): ApiHttpServer {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  let closing: Promise<void> | undefined;
  return {
    server,
    listen: (where) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(typeof where === 'string' ? { path: where } : where, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    close(deadlineMs = 5000) {
      closing ??= drain(server, sockets, deadlineMs);
      return closing;
    },
  };
}

const DRAIN_STEP_MS = 20;

async function drain(server: http.Server, sockets: ReadonlySet<Socket>, deadlineMs: number): Promise<void> {
  if (server.listening) server.close();
  const end = performance.now() + deadlineMs;
  // Node tells nobody when a kept-alive connection falls idle, so idle ones are swept until none is left.
  server.closeIdleConnections();
  while (sockets.size > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    server.closeIdleConnections();
  }
  server.closeAllConnections();
}
