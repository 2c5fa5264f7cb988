import type { TraceContext } from '../blocks/pubsub/cloudevent.js';

/** W3C Trace Context, level 1: version, trace id, parent id, flags; an id of zeros is none. */
const TRACEPARENT = /^[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const NONE: TraceContext = {};

/** @returns the trace that a request belongs to; what is malformed counts as absent */
export function traceContext(traceparent: unknown, tracestate: unknown): TraceContext {
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return NONE;
  return typeof tracestate === 'string' && tracestate !== '' ? { traceparent, tracestate } : { traceparent };
}

const BINARY_BYTES = 29;

/** @returns the traceparent that a `grpc-trace-bin` value says: fields 0 (trace id), 1 (span id), 2 (options) behind version 0 */
export function binaryTraceparent(value: unknown): string | undefined {
  if (!Buffer.isBuffer(value) || value.length < BINARY_BYTES) return undefined;
  if (value[0] !== 0 || value[1] !== 0 || value[18] !== 1 || value[27] !== 2) return undefined;
  const hex = (from: number, to: number) => value.toString('hex', from, to);
  return `00-${hex(2, 18)}-${hex(19, 27)}-${hex(28, 29)}`;
}
