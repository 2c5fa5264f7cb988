/** The trace that a request, an event or a turn belongs to, in W3C's form. Absent: it starts one. */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

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

/** @returns `traceparent` as a `grpc-trace-bin` value */
export const traceparentBytes = (traceparent: string): Buffer =>
  Buffer.from(`0000${traceparent.slice(3, 35)}01${traceparent.slice(36, 52)}02${traceparent.slice(53, 55)}`, 'hex');

const B3 = /^([\da-f]{16}|[\da-f]{32})-([\da-f]{16})(?:-([01d]|true|false))?(?:-[\da-f]{16})?$/;

/** @returns the traceparent that B3 headers say, in one header or in several; without a decision of the caller's nothing is recorded */
export function b3Traceparent(header: (name: string) => unknown): string | undefined {
  const single = header('b3');
  const traceId = header('x-b3-traceid');
  if (single === undefined && traceId === undefined) return undefined;
  const debug = header('x-b3-flags') === '1' ? 'd' : undefined;
  const decision = debug ?? header('x-b3-sampled');
  const several = [traceId, header('x-b3-spanid'), ...(decision === undefined ? [] : [decision])].join('-');
  const [, id, span, sampled = ''] = B3.exec(typeof single === 'string' ? single : several) ?? [];
  if (!id || !span) return undefined;
  return `00-${id.padStart(32, '0')}-${span}-${/^[1dt]/.test(sampled) ? '01' : '00'}`;
}

/** @returns the trace of an HTTP request: W3C, else B3 */
export function httpTrace(headers: Readonly<Record<string, unknown>>): TraceContext {
  const own = traceContext(headers.traceparent, headers.tracestate);
  return own.traceparent
    ? own
    : traceContext(
        b3Traceparent((name) => headers[name]),
        undefined,
      );
}

/** @returns whether whoever sent `traceparent` records its trace */
export const isSampled = (traceparent: string): boolean => (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
