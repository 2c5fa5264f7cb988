import { type handleBidiStreamingCall, type handleUnaryCall, Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { baggageProblem } from '../../telemetry/tracing/baggage.js';
import {
  b3Traceparent,
  binaryTraceparent,
  type TraceContext,
  traceContext,
  traceparentBytes,
} from '../../telemetry/tracing/context.js';
import type { CurrentTracer, RecordedSpan } from '../../telemetry/tracing/tracer.js';
import type { ObserveGrpc } from './observe.js';

const BINARY = 'grpc-trace-bin';
type Unary = handleUnaryCall<unknown, unknown>;
type Stream = handleBidiStreamingCall<unknown, unknown>;

/** @returns the trace of a call: the binary form wins over the text form (reference §8) */
export function grpcTrace(metadata: Metadata): TraceContext {
  const first = (name: string) => metadata.get(name)[0];
  const own = traceContext(binaryTraceparent(first(BINARY)) ?? first('traceparent'), first('tracestate'));
  return own.traceparent ? own : traceContext(b3Traceparent(first), undefined);
}

/** @returns what makes a span of each call that is recorded; its metadata says from then on that the span is the parent */
export function traceGrpc(current: CurrentTracer): ObserveGrpc {
  return (name, handle, streams) => {
    const method = `/dapr.proto.runtime.v1.Dapr/${name}`;
    const start = (metadata: Metadata): RecordedSpan | undefined => {
      const span = current()?.start({ name: method, kind: 'client', parent: grpcTrace(metadata) });
      if (!span) return undefined;
      span.set({ ...daprMetadata(metadata), 'dapr.api': method, 'dapr.protocol': 'grpc', 'rpc.service': 'Dapr' });
      metadata.remove(BINARY);
      for (const [key, value] of Object.entries(span.trace)) metadata.set(key, value);
      return span;
    };
    if (streams) return traceStream(handle as Stream, start);
    // How an app answered is in the metadata that InvokeService sends itself.
    return traceUnary(handle as Unary, start, name !== 'invokeService');
  };
}

type Start = (metadata: Metadata) => RecordedSpan | undefined;

function traceUnary(handle: Unary, start: Start, answers: boolean): Unary {
  return (call, callback) => {
    const span = start(call.metadata);
    if (!span) return handle(call, callback);
    if (answers) sendBack(call, BINARY, traceparentBytes(span.trace.traceparent));
    handle(call, (error, value, trailer, flags) => {
      const code = error ? ((error as { code?: status }).code ?? status.UNKNOWN) : status.OK;
      span.set({ 'dapr.status_code': String(code) });
      span.end(error ? ((error as { details?: string }).details ?? status[code]) : undefined);
      callback(error, value, trailer, flags);
    });
  };
}

function traceStream(handle: Stream, start: Start): Stream {
  return (call) => {
    const span = start(call.metadata);
    let open = span !== undefined;
    const end = (problem?: string) => {
      if (open) span?.end(problem);
      open = false;
    };
    if (span) {
      call.on('error', (error: { details?: string }) => end(error.details ?? 'failed'));
      call.on('cancelled', () => end());
      call.on('finish', () => end());
    }
    handle(call);
  };
}

/** @returns what refuses baggage that is none, and gives the client back what it sent (reference §8) */
export const echoGrpcBaggage: ObserveGrpc = (name, handle, streams) => {
  if (streams) return handle;
  const unary = handle as Unary;
  const checked: Unary = (call, callback) => {
    const values = call.metadata.get('baggage');
    if (values.length === 0) return unary(call, callback);
    const text = values.join(',');
    const problem = baggageProblem(text);
    if (problem !== undefined) return callback({ code: status.INVALID_ARGUMENT, details: `invalid baggage header: ${problem}` });
    if (name !== 'invokeService') sendBack(call, 'baggage', text);
    return unary(call, callback);
  };
  return checked;
};

/** @returns `observers` as one; the first sees a call first */
export const observeAllGrpc =
  (observers: readonly ObserveGrpc[]): ObserveGrpc =>
  (name, handle, streams) =>
    observers.reduceRight((inner, observe) => observe(name, inner, streams), handle);

/** Headers go out once, so those of several senders are gathered. */
const waiting = new WeakMap<object, Metadata>();

function sendBack(call: ServerUnaryCall<unknown, unknown>, name: string, value: string | Buffer): void {
  const known = waiting.get(call);
  if (known) {
    known.set(name, value);
    return;
  }
  const metadata = new Metadata();
  metadata.set(name, value);
  waiting.set(call, metadata);
  queueMicrotask(() => call.sendMetadata(metadata));
}

function daprMetadata(metadata: Metadata): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap()))
    if (name.startsWith('dapr-') && name !== 'dapr-api-token' && typeof value === 'string') found[name] = value;
  return found;
}
