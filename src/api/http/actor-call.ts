import type { IncomingMessage, ServerResponse } from 'node:http';
import { canonicalName } from '../../blocks/actors/placement.js';
import type { ActorCall, ActorRuntime } from '../../blocks/actors/runtime.js';
import type { Headers, HttpReply } from '../../blocks/app/channel.js';
import { checkName } from '../../blocks/invoke/paths.js';
import { type Relay, urlOf } from '../../blocks/invoke/relay.js';
import { BreakerOpenError } from '../../blocks/resiliency/breaker.js';
import { TryTimeoutError } from '../../blocks/resiliency/parts.js';
import { AppError } from '../../errors.js';
import { sleep } from '../../lib/async.js';
import { HEADERS } from '../../model/names.js';
import { errorBody } from './errors.js';

export interface ActorCallDeps {
  readonly runtime: ActorRuntime;
  /** Into Envoy's loopback listener. */
  readonly relay: Relay;
}

/** One call of an actor method as HTTP has it. */
export interface ActorExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Decoded. */
  readonly names: { readonly type: string; readonly id: string; readonly method: string };
  readonly body: Buffer | undefined;
}

/** How long a call waits for the placement of a type that this app has just said it hosts. */
const PLACEMENT_WAIT_MS = 5_000;
const PLACEMENT_POLL_MS = 25;

/** Runs the turn of a call that Envoy routed here, or lets it go to the owner. Always answers. @throws AppError */
export function runRouted(deps: ActorCallDeps, exchange: ActorExchange): Promise<void> {
  const run = deps.runtime.execute(callOf(exchange)).catch((error: unknown) => tellEnvoy(exchange.response, error));
  return run.then((answer) => {
    if (answer.kind === 'reply') return sendReply(exchange.response, answer.reply);
    const { type, id, method } = exchange.names;
    const path = `/v1.0/actors/${canonicalName({ type, id })}/method/`;
    if (urlOf(exchange.request).startsWith(path)) return sendMoved(exchange);
    // Envoy hashed another spelling of the name than ownership is computed from: under the canonical one it finds the owner.
    return relayCall(deps, exchange, `${path}${encodeURIComponent(method)}${withMark(queryOf(exchange.request))}`);
  });
}

/** What the caller's Envoy, which makes the retries, must know beside the answer. */
function tellEnvoy(response: ServerResponse, error: unknown): never {
  const cause = error instanceof AppError ? error.cause : undefined;
  if (cause instanceof BreakerOpenError) response.setHeader(HEADERS.notAgain, 'true');
  if (cause instanceof TryTimeoutError) response.setHeader(HEADERS.actorLate, '1');
  throw error;
}

/** Answers a call that our Envoy had no route for: it knows no host of the type (yet). @throws AppError */
export async function runUnrouted(deps: ActorCallDeps, exchange: ActorExchange): Promise<void> {
  const { runtime } = deps;
  const call = callOf(exchange);
  let waited = false;
  for (let ms = 0; runtime.owner(call) === undefined && ms < PLACEMENT_WAIT_MS; ms += PLACEMENT_POLL_MS) {
    if (!runtime.hostedTypes.includes(call.type)) break;
    waited = true;
    await sleep(PLACEMENT_POLL_MS);
  }
  if (runtime.owner(call) === undefined) throw new AppError('actorNoAddress', { type: call.type, id: call.id });
  const answer = await runtime.execute(call);
  if (answer.kind === 'reply') return sendReply(exchange.response, answer.reply);
  // Placement names another host. After the wait the route is there too; without it, one more round would come back here.
  if (waited) return relayCall(deps, exchange);
  throw new AppError('actorInvoke', { err: `no route to the hosts of ${call.type} has arrived yet; try again` });
}

/** Hands the call to Envoy, which knows the actor's host. */
export function relayCall({ relay }: ActorCallDeps, exchange: ActorExchange, path?: string): Promise<void> {
  const { request, response, names, body } = exchange;
  return relay(request, response, { path, body: body ?? Buffer.alloc(0), target: `${names.type}/${names.id}` });
}

function callOf({ request, response, names, body }: ActorExchange): ActorCall {
  checkName(names.type, 'actorType');
  checkName(names.id, 'actorId');
  checkName(names.method, 'method');
  return {
    ...names,
    query: queryOf(request),
    headers: request.headers as Headers,
    body,
    // Envoy adds it on the leg between two sidecars only.
    remote: request.headers.forwarded !== undefined,
    gone: () => response.destroyed,
  };
}

function queryOf(request: IncomingMessage): string | undefined {
  const url = urlOf(request);
  const at = url.indexOf('?');
  return at < 0 ? undefined : url.slice(at + 1);
}

const withMark = (query: string | undefined) => (query === undefined ? '' : `?${query}`);

function sendReply(response: ServerResponse, { status, headers, body }: HttpReply): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

function sendMoved({ response, names }: ActorExchange): void {
  const body = errorBody(new AppError('actorNoAddress', { type: names.type, id: names.id }));
  const length = Buffer.byteLength(body);
  response.writeHead(503, { [HEADERS.actorMoved]: '1', 'content-type': 'application/json', 'content-length': length });
  response.end(body);
}
