import { canonicalName } from '../../blocks/actors/placement.js';
import type { ActorState, ActorStateOperation } from '../../blocks/actors/state.js';
import type { HttpChannel, HttpReply } from '../../blocks/app/channel.js';
import { checkName } from '../../blocks/invoke/paths.js';
import { AppError, messageOf } from '../../errors.js';
import type { InvokeActorRequest, TransactionalActorStateOperation } from '../../gen/dapr/proto/runtime/v1/actors.js';
import { expireTime } from '../expire-time.js';
import { callerOf } from './caller.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

export interface ActorMethodsDeps {
  readonly state: ActorState;
  /** Envoy's listener for our own outbound calls: it knows the actor's host. */
  readonly loopback: HttpChannel;
}

/** The actor API over gRPC (reference §3.8). */
export function actorMethods({ state, loopback }: ActorMethodsDeps): DaprMethods {
  return {
    invokeActor: unary(async (request) => ({ data: await invoke(loopback, request) })),
    getActorState: unary(async ({ actorType, actorId, key }, call) => {
      const entry = await state.get(checked(actorType, actorId), key, callerOf(call));
      const metadata: Record<string, string> = {};
      if (entry?.expiresAtMs !== undefined) metadata.ttlExpireTime = expireTime(entry.expiresAtMs);
      return { data: entry?.value ?? Buffer.alloc(0), metadata };
    }),
    executeActorStateTransaction: unary(async ({ actorType, actorId, operations }, call) => {
      await state.transact(checked(actorType, actorId), operations.map(operationOf), callerOf(call));
      return {};
    }),
  };
}

function checked(type: string, id: string): { type: string; id: string } {
  if (/^dapr\.internal\..*\.(workflow|activity)$/.test(type)) throw new AppError('actorTypeReserved', { type });
  checkName(type, 'actorType');
  checkName(id, 'actorId');
  return { type, id };
}

function operationOf({ operationType, key, value, metadata }: TransactionalActorStateOperation): ActorStateOperation {
  if (operationType !== 'upsert' && operationType !== 'delete')
    throw new AppError('stateOperationNotSupported', { operation: operationType });
  return { operation: operationType, key, value: Buffer.from(value?.value ?? []), metadata };
}

async function invoke(
  loopback: HttpChannel,
  { actorType, actorId, method, data, metadata }: InvokeActorRequest,
): Promise<Buffer> {
  checkName(actorType, 'actorType');
  checkName(actorId, 'actorId');
  checkName(method, 'method');
  const path = `/v1.0/actors/${canonicalName({ type: actorType, id: actorId })}/method/${encodeURIComponent(method)}`;
  let reply: HttpReply;
  try {
    // Envoy's route decides how long a turn may take.
    reply = await loopback.request({ method: 'PUT', path, headers: headersOf(metadata), body: Buffer.from(data), timeoutMs: 0 });
  } catch (error) {
    throw new AppError('actorInvoke', { err: messageOf(error) }, error);
  }
  if (reply.status === 200) return reply.body;
  throw refusal(reply, actorType, actorId);
}

/** Names and values that an HTTP header cannot have are left out, like those that belong to one connection. */
function headersOf(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    const key = name.toLowerCase();
    if (/^[0-9a-z_.-]+$/.test(key) && /^[\x20-\x7e]*$/.test(value) && !NOT_A_CALLERS.has(key)) headers[key] = value;
  }
  return headers;
}

const NOT_A_CALLERS = new Set([
  'connection',
  'content-length',
  'host',
  'transfer-encoding',
  'upgrade',
  'te',
  'expect',
  'keep-alive',
]);

function refusal({ status, body }: HttpReply, type: string, id: string): AppError {
  const text = body.toString('utf8');
  const parsed = parse(text);
  if (parsed.errorCode === 'ERR_ACTOR_NO_ADDRESS') return new AppError('actorNoAddress', { type, id });
  const message = typeof parsed.message === 'string' ? parsed.message : `(${status}) ${text}`;
  return new AppError('actorInvoke', { err: message.replace(/^error invoke actor method: /, '') });
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
