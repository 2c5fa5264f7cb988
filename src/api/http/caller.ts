import type { FastifyReply } from 'fastify';
import type { Caller } from '../../blocks/caller.js';

/** @returns who waits for the answer: nobody, once its connection or stream is gone */
export const callerOf =
  ({ raw }: FastifyReply): Caller =>
  () => {
    const gone = new AbortController();
    if (raw.destroyed) gone.abort();
    else raw.once('close', () => gone.abort());
    return gone.signal;
  };
