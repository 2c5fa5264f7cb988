import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { Caller } from '../../blocks/caller.js';

/** @returns who waits for the answer: nobody, once the call is cancelled or its deadline has passed */
export const callerOf =
  <Request, Response>(call: Pick<ServerUnaryCall<Request, Response>, 'cancelled' | 'once'>): Caller =>
  () => {
    const gone = new AbortController();
    if (call.cancelled) gone.abort();
    else call.once('cancelled', () => gone.abort());
    return gone.signal;
  };
