import { AppError } from '../../errors.js';
import type { ActorPolicies, ActorPolicy } from '../resiliency/actor-policies.js';
import { BreakerOpenError } from '../resiliency/breaker.js';
import { TryTimeoutError } from '../resiliency/parts.js';
import type { ActorApp } from './app-http.js';
import type { ActorAnswer, ActorCall, ActorRuntime } from './runtime.js';
import { CallerGoneError } from './turn-queue.js';

/**
 * Policies of actors, at the owner: it sees every call of its actors, whoever makes it. Breakers stand before the actor's lock, the time of a
 * turn begins behind it (reference §4.4). A type without a policy pays for a look into a map.
 */

/** @returns `runtime`, whose turns the breakers of their types must let through */
export function guardTurns(runtime: ActorRuntime, policies: Pick<ActorPolicies, 'of'>): ActorRuntime {
  return {
    ...runtime,
    get hostedTypes() {
      return runtime.hostedTypes;
    },
    execute(call) {
      const enter = policies.of(call.type)?.enter;
      return enter ? guarded(runtime, enter, call) : runtime.execute(call);
    },
  };
}

async function guarded(runtime: ActorRuntime, enter: NonNullable<ActorPolicy['enter']>, call: ActorCall): Promise<ActorAnswer> {
  const leave = entered(enter, call.id);
  try {
    const answer = await runtime.execute(call);
    leave(answer.kind === 'reply' ? true : undefined);
    return answer;
  } catch (error) {
    leave(isCallersDoing(error) ? undefined : false);
    throw error;
  }
}

function entered(enter: NonNullable<ActorPolicy['enter']>, id: string) {
  try {
    return enter(id);
  } catch (error) {
    throw error instanceof BreakerOpenError ? new AppError('actorInvoke', {}, error) : error;
  }
}

/** No turn was tried: who called went away before it began, or has called itself too deep. */
const isCallersDoing = (error: unknown) =>
  error instanceof CallerGoneError || (error instanceof AppError && error.code === 'actorStackDepth');

/** @returns `app`, whose turns get the time that their types' policies give them */
export function limitTurns(app: ActorApp, policies: Pick<ActorPolicies, 'of'>): ActorApp {
  return {
    invoke(turn) {
      const limit = policies.of(turn.type)?.limit;
      if (!limit) return app.invoke(turn);
      return limit((signal = turn.signal) => app.invoke({ ...turn, signal }), turn.signal).catch((error: unknown) => {
        throw error instanceof TryTimeoutError ? new AppError('actorInvoke', {}, error) : error;
      });
    },
    deactivate: (type, id) => app.deactivate(type, id),
  };
}
