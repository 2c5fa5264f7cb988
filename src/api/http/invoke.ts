import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Headers } from '../../blocks/app/channel.js';
import { targetOf } from '../../blocks/invoke/paths.js';
import { type Relay, urlOf } from '../../blocks/invoke/relay.js';
import { AppError } from '../../errors.js';
import { isDoor } from '../../lib/door-mark.js';
import type { HttpHandle } from './server.js';

/**
 * Requests that no API route has (reference §1.3). On a door connection they are calls by name for Envoy to route: handed on, body and
 * answer as streams. Through Envoy they are what Envoy had no route for: their target does not exist, or they name none.
 */
export function invokeFallback(relay: Relay): HttpHandle {
  return (request: FastifyRequest, reply: FastifyReply) => {
    const { raw } = request;
    const target = targetOf(urlOf(raw), raw.headers as Headers);
    if (isDoor(raw.socket)) {
      reply.hijack();
      return relay(raw, reply.raw, { target: target ?? '' });
    }
    if (target === undefined) throw new AppError('invokeNoTarget');
    throw new AppError('invokeFailed', { id: target, err: unknown(target) });
  };
}

/** A sidecar that fetched any URL would be a way into networks that only it can see. */
const unknown = (target: string) =>
  /^https?:\//.test(target)
    ? 'no HTTPEndpoint names this host; add one to let this app call it'
    : `couldn't find service: ${target}`;
