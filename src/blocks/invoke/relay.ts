import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { AppError, messageOf } from '../../errors.js';
import type { Headers, HttpChannel, HttpStreamReply } from '../app/channel.js';
import { passedHeaders } from './headers.js';

export interface RelayOptions {
  /** Path with query to ask for. Default: the one that the client sent. */
  readonly path?: string;
  /** The body when it has been read already. Default: the request's stream, passed on as it comes. */
  readonly body?: Buffer;
  /** What the call is for, for messages. */
  readonly target: string;
}

/** Hands one request on to Envoy and streams the answer back. @throws AppError invokeFailed as long as nothing has been answered */
export type Relay = (request: IncomingMessage, response: ServerResponse, options: RelayOptions) => Promise<void>;

/** Our own headers are Envoy's to set; undici answers `Expect` itself. */
const isNotForEnvoy = (name: string) => name.startsWith('x-weft-') || name === 'expect';
const keepAll = () => false;

/** @returns a relay into `loopback`, Envoy's listener for this sidecar's own outbound calls */
export function createRelay(loopback: HttpChannel): Relay {
  return async (request, response, options) => {
    const abort = new AbortController();
    // 'close' also comes after a complete answer; aborting then does nothing.
    response.once('close', () => abort.abort());
    let reply: HttpStreamReply;
    try {
      reply = await loopback.stream({
        method: request.method ?? 'GET',
        path: options.path ?? urlOf(request),
        headers: passedHeaders(request.headers as Headers, isNotForEnvoy),
        body: options.body ?? (hasBody(request) ? request : undefined),
        signal: abort.signal,
        // A stream may be silent for as long as Envoy's route allows.
        timeoutMs: 0,
      });
    } catch (error) {
      throw new AppError('invokeFailed', { id: options.target, err: messageOf(error) }, error);
    }
    response.writeHead(reply.status, passedHeaders(reply.headers, keepAll));
    // Each chunk goes out as it arrives; a failure in the middle can only be shown by cutting the connection.
    await pipeline(reply.body, response).catch(() => response.destroy());
  };
}

/** @returns the request target as the client wrote it: the API server gives unusual paths another spelling for its router */
export function urlOf(request: IncomingMessage): string {
  return (request as { originalUrl?: string }).originalUrl ?? request.url ?? '/';
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
