import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ActorState } from '../../blocks/actors/state.js';
import type { ActorIdentity } from '../../blocks/actors/table.js';
import { checkName } from '../../blocks/invoke/paths.js';
import { AppError } from '../../errors.js';
import { isDoor } from '../../lib/door-mark.js';
import { expireTime } from '../expire-time.js';
import { type ActorCallDeps, relayCall, runUnrouted } from './actor-call.js';
import { stateOperations } from './actor-state-body.js';
import { callerOf } from './caller.js';
import { sendEmpty, sendJson } from './reply.js';
import type { HttpRoute } from './route.js';

export interface ActorRoutesDeps extends ActorCallDeps {
  readonly state: ActorState;
}

type Params = { readonly type: string; readonly id: string; readonly method: string; readonly key: string };

/** The actor API over HTTP (reference §1.7). Calls that Envoy routed to this host do not come here but through the inbound gate. */
export function actorRoutes(deps: ActorRoutesDeps): HttpRoute[] {
  const route = (operation: string, methods: readonly string[], path: string, handle: HttpRoute['handle']): HttpRoute => ({
    operation,
    methods,
    path: `/actors/:type/:id${path}`,
    handle,
    versions: ['v1.0'],
    group: 'actors',
  });
  const calls = ['GET', 'POST', 'PUT', 'DELETE'];
  return [
    route('InvokeActor', calls, '/method/:method', (request, reply) => invokeActor(deps, request, reply)),
    route('ExecuteActorStateTransaction', ['POST', 'PUT'], '/state', (request, reply) => transact(deps.state, request, reply)),
    route('GetActorState', ['GET'], '/state/:key', (request, reply) => getState(deps.state, request, reply)),
  ];
}

function invokeActor(deps: ActorCallDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  // Errors are written to the same raw response, so hijacking first does no harm.
  reply.hijack();
  const exchange = {
    request: request.raw,
    response: reply.raw,
    names: request.params as Params,
    body: request.body as Buffer | undefined,
  };
  return isDoor(request.raw.socket) ? relayCall(deps, exchange) : runUnrouted(deps, exchange);
}

/** Workflow state is the workflow engine's own (reference §1.7). */
function actorOf(request: FastifyRequest): ActorIdentity {
  const { type, id } = request.params as Params;
  if (/^dapr\.internal\..*\.(workflow|activity)$/.test(type)) throw new AppError('actorTypeReserved', { type });
  checkName(type, 'actorType');
  checkName(id, 'actorId');
  return { type, id };
}

async function getState(state: ActorState, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { key } = request.params as Params;
  const entry = await state.get(actorOf(request), key, callerOf(reply));
  if (!entry || entry.value.length === 0) return sendEmpty(reply);
  const { expiresAtMs } = entry;
  sendJson(reply, entry.value, expiresAtMs === undefined ? [] : ['metadata.ttlExpireTime', expireTime(expiresAtMs)]);
}

async function transact(state: ActorState, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  await state.transact(actorOf(request), stateOperations(request.body), callerOf(reply));
  sendEmpty(reply);
}
