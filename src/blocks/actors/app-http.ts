import { AppError, messageOf } from '../../errors.js';
import type { Headers, HttpChannel, HttpReply } from '../app/channel.js';
import { passedHeaders } from '../invoke/headers.js';

/** A turn as the app gets it. */
export interface AppTurn {
  readonly type: string;
  readonly id: string;
  readonly method: string;
  /** Query string without `?`. */
  readonly query?: string;
  /** The caller's headers, names in lower case. */
  readonly headers: Headers;
  readonly body?: Buffer;
  /** The call came from another sidecar. */
  readonly remote: boolean;
  /** Id of the chain of reentrant calls; undefined when the type is not reentrant. */
  readonly chain?: string;
  readonly signal: AbortSignal;
}

/** What an actor's app can do for the runtime: over HTTP here, over a gRPC stream where an app hosts its actors that way. */
export interface ActorApp {
  /**
   * Runs one turn. An answer with `X-DaprErrorResponseHeader` is the actor's own error and an ordinary reply.
   * @throws AppError actorInvoke when the app does not answer with exactly 200
   */
  invoke(turn: AppTurn): Promise<HttpReply>;
  /** Tells the app that the actor is no longer live. @throws Error when the app does not answer with exactly 200 */
  deactivate(type: string, id: string): Promise<void>;
}

export interface ActorAppOptions {
  readonly http: HttpChannel;
  /** Longest turn, milliseconds. When it has passed, the caller gets an error and the next turn starts. */
  readonly turnTimeoutMs: number;
  readonly deactivateTimeoutMs: number;
}

/** What is between caller and sidecars, or set anew for the app. */
const NOT_FOR_THE_APP = new Set(['host', 'content-length', 'dapr-api-token', 'dapr-app-id', 'expect', 'x-dapr-remote']);
const isNotForTheApp = (name: string) => NOT_FOR_THE_APP.has(name) || name.startsWith('x-weft-');
const isNotForTheCaller = (name: string) => name === 'content-length' || name === 'date' || name.startsWith('x-weft-');

/** @returns actors of an app that is called over HTTP (reference §2.6) */
export function createActorApp({ http, turnTimeoutMs, deactivateTimeoutMs }: ActorAppOptions): ActorApp {
  const send = async (turn: AppTurn): Promise<HttpReply> => {
    const headers = passedHeaders(turn.headers, isNotForTheApp);
    headers['dapr-api-call'] = 'true';
    if (turn.remote) headers['x-dapr-remote'] = 'true';
    if (turn.chain !== undefined) headers['dapr-reentrancy-id'] = turn.chain;
    try {
      return await http.request({
        method: 'PUT',
        path: `${actorPath(turn.type, turn.id)}/method/${encodeURIComponent(turn.method)}${turn.query ? `?${turn.query}` : ''}`,
        headers,
        body: turn.body,
        signal: turn.signal,
        timeoutMs: turnTimeoutMs,
      });
    } catch (error) {
      throw new AppError('actorInvoke', { err: `the app did not answer: ${messageOf(error)}` }, error);
    }
  };

  return {
    async invoke(turn) {
      const reply = await send(turn);
      if (reply.status === 200) return { ...reply, headers: passedHeaders(reply.headers, isNotForTheCaller) };
      throw new AppError('actorInvoke', {
        err:
          reply.status === 404
            ? `actor method not found: actors/${turn.type}/${turn.id}/method/${turn.method}`
            : `error from actor service: (${reply.status}) ${reply.body.toString('utf8')}`,
      });
    },
    async deactivate(type, id) {
      const reply = await http.request({ method: 'DELETE', path: actorPath(type, id), timeoutMs: deactivateTimeoutMs });
      if (reply.status !== 200) throw new Error(`error from actor service: (${reply.status}) ${reply.body.toString('utf8')}`);
    },
  };
}

const actorPath = (type: string, id: string) => `/actors/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;
