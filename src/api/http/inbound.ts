import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Headers, HttpReply } from '../../blocks/app/channel.js';
import type { AppCallback } from '../../blocks/app/grpc-callback.js';
import { callBack } from '../../blocks/invoke/app-callback.js';
import { urlOf } from '../../blocks/invoke/relay.js';
import { AppError } from '../../errors.js';
import { isDoor } from '../../lib/door-mark.js';
import { HEADERS } from '../../model/names.js';
import type { Logger } from '../../telemetry/logger.js';
import { type ActorCallDeps, runRouted } from './actor-call.js';
import { hasBody, readBody } from './body.js';
import { toAppError, writeError } from './errors.js';

export interface InboundOptions extends ActorCallDeps {
  /** Undefined: the app does not speak gRPC. */
  readonly callback?: AppCallback;
  /** Largest request body, bytes. */
  readonly maxBodyBytes: number;
  /** Told of each error that is answered, and of every answer's status. */
  readonly onError?: ((error: AppError) => void) | undefined;
  readonly onAnswer?: ((status: number) => void) | undefined;
  readonly logger: Logger;
}

/** True: the gate answers the request. */
export type InboundGate = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The only path of the API that another sidecar may reach. */
const ACTOR_METHOD = /^\/v1\.0\/actors\/([^/?]+)\/([^/?]+)\/method\/([^/?]+)\/?(?:\?|$)/;

/**
 * Answers what Envoy says is for this host (`x-weft-to`): turns of actors, and calls by name for a gRPC app. Such calls carry no API token
 * and may come from other sidecars, so they must never fall through to the API's routes: a method of an app may be named like one.
 */
export function inboundGate(options: InboundOptions): InboundGate {
  return (request, response) => {
    const to = request.headers[HEADERS.to];
    // On a door connection the header is the client's invention.
    if (to === undefined || isDoor(request.socket)) return false;
    const { onAnswer } = options;
    if (onAnswer) response.once('finish', () => onAnswer(response.statusCode));
    const fail = (error: unknown) => {
      const failure = toAppError(error, options.maxBodyBytes);
      options.onError?.(failure);
      writeError(response, failure, options.logger);
    };
    const handle = handlerOf(options, to, request, response);
    const run = (body: Buffer | undefined) => void handle(body).catch(fail);
    if (!hasBody(request)) run(undefined);
    else readBody(request, options.maxBodyBytes, (error, body) => (error ? fail(error) : run(body)));
    return true;
  };
}

/** Puts `gate` before everything that `server` does with requests. */
export function installGate(server: Server, gate: InboundGate): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    if (gate(request, response)) return;
    for (const listener of listeners) listener.call(server, request, response);
  });
}

type Handler = (body: Buffer | undefined) => Promise<void>;

function handlerOf(options: InboundOptions, to: string | string[], request: IncomingMessage, response: ServerResponse): Handler {
  const url = urlOf(request);
  const [, type, id, method] = (to === 'actor' && ACTOR_METHOD.exec(url)) || [];
  if (type && id && method)
    return async (body) => {
      const names = { type: decoded(type), id: decoded(id), method: decoded(method) };
      return runRouted(options, { request, response, names, body });
    };
  const { callback } = options;
  if (to === 'app-callback' && callback)
    return async (body) => {
      const { method: verb = 'GET', headers } = request;
      send(response, await callBack(callback, { verb, path: url, headers: headers as Headers, body }));
    };
  return async () => {
    throw new AppError('invokeNoTarget');
  };
}

/** Path parameters follow query rules: `+` is a space (reference §1.1). */
function decoded(segment: string): string {
  if (!segment.includes('%') && !segment.includes('+')) return segment;
  try {
    return decodeURIComponent(segment.replaceAll('+', ' '));
  } catch {
    throw new AppError('badRequest', { err: `${segment} is not percent-encoded` });
  }
}

function send(response: ServerResponse, { status, headers, body }: HttpReply): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}
