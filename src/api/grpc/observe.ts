import { type handleBidiStreamingCall, type handleUnaryCall, status, type UntypedHandleCall } from '@grpc/grpc-js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';

/** Puts something around the handling of one method's calls. */
export type ObserveGrpc = (name: string, handle: UntypedHandleCall, streams: boolean) => UntypedHandleCall;

/** @returns what counts each call of the gRPC API under its method */
export function countGrpc({ grpc }: SidecarMetrics): ObserveGrpc {
  return (name, handle, streams) => {
    const method = `/dapr.proto.runtime.v1.Dapr/${name}`;
    const ended = (code: status, startedAt: number) => {
      const labels = [method, status[code] ?? 'UNKNOWN'];
      grpc.completed.of(...labels).value += 1;
      grpc.latency.of(...labels).observe(performance.now() - startedAt);
    };
    return streams
      ? countStream(handle as handleBidiStreamingCall<unknown, unknown>, ended)
      : countUnary(handle as handleUnaryCall<unknown, unknown>, ended);
  };
}

type Ended = (code: status, startedAt: number) => void;

function countUnary(handle: handleUnaryCall<unknown, unknown>, ended: Ended): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const startedAt = performance.now();
    handle(call, (error, value, trailer, flags) => {
      ended(error ? ((error as { code?: status }).code ?? status.UNKNOWN) : status.OK, startedAt);
      callback(error, value, trailer, flags);
    });
  };
}

/** A stream ends in one of three ways; the first that shows counts. */
function countStream(handle: handleBidiStreamingCall<unknown, unknown>, ended: Ended): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const startedAt = performance.now();
    let open = true;
    const end = (code: status) => {
      if (open) ended(code, startedAt);
      open = false;
    };
    call.on('error', (error: { code?: status }) => end(error.code ?? status.UNKNOWN));
    call.on('cancelled', () => end(status.CANCELLED));
    call.on('finish', () => end(status.OK));
    handle(call);
  };
}
