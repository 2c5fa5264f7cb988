import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';
import { listenProblem } from './listen.js';

/** An answer: JSON unless it has a content type of its own. */
export interface StatusAnswer {
  readonly status?: number;
  readonly body: unknown;
  readonly contentType?: string;
}

export interface StatusRequest {
  /** The parts of the path that the route leaves open. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
}

/** Routes by path; `*` stands for one part. */
export type StatusRoutes = Readonly<Record<string, (request: StatusRequest) => StatusAnswer | Promise<StatusAnswer>>>;

export interface StatusServerOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
}

/**
 * Serves read-only status over HTTP.
 * @throws UsageError when the port is taken
 */
export async function startStatusServer(
  routes: StatusRoutes,
  { host, port }: StatusServerOptions,
  logger: Logger,
): Promise<{ readonly address: string; close(): Promise<void> }> {
  const table = Object.entries(routes).map(([path, handle]) => ({ parts: path.split('/'), handle }));
  const server = createServer((request, response) => {
    answer(request, table).then(
      (result) => write(response, result),
      (error: unknown) => {
        logger.error('status request failed', { path: request.url, error: messageOf(error) });
        write(response, { status: 500, body: { message: 'internal error' } });
      },
    );
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenProblem(error, { host, port, flag: '--http-port' })));
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: `${host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Route {
  readonly parts: readonly string[];
  readonly handle: StatusRoutes[string];
}

async function answer(request: IncomingMessage, table: readonly Route[]): Promise<StatusAnswer> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { status: 405, body: { message: 'status is read-only: use GET' } };
  const url = new URL(request.url ?? '/', 'http://status');
  const parts = url.pathname.split('/');
  for (const route of table) {
    if (route.parts.length !== parts.length || !route.parts.every((part, index) => part === '*' || part === parts[index]))
      continue;
    const params = parts.filter((_, index) => route.parts[index] === '*').map(decode);
    return route.handle({ params, query: url.searchParams });
  }
  return { status: 404, body: { message: `nothing at ${url.pathname}` } };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function write(response: ServerResponse, { status = 200, body, contentType }: StatusAnswer): void {
  response.writeHead(status, { 'content-type': contentType ?? 'application/json', 'x-content-type-options': 'nosniff' });
  response.end(contentType === undefined ? JSON.stringify(body) : String(body));
}
