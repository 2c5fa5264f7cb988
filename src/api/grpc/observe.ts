import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { DaprService } from '../../gen/dapr/proto/runtime/v1/dapr.js';
import { grpcStatusName } from '../../telemetry/metrics/grpc-status.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import { countErrors } from '../count-errors.js';
import type { CallError } from './errors.js';

/** Puts something around the handling of one method's calls. */
export type ObserveGrpc = (name: string, handle: UntypedHandleCall, streams: boolean) => UntypedHandleCall;

/** @returns what counts each call of the gRPC API under its method, and each error under its code */
export function countGrpc(metrics: SidecarMetrics): ObserveGrpc {
  const { grpc } = metrics;
  const failed = countErrors(metrics);
  return (name, handle, streams) => {
    const method = (DaprService as ServiceDefinition)[name]?.path ?? name;
    const ended: Ended = (error, startedAt) => {
      const labels = [method, grpcStatusName(error ? (error.code ?? status.UNKNOWN) : status.OK)];
      if (error?.cause) failed(error.cause);
      grpc.completed.of(...labels).value += 1;
      grpc.latency.of(...labels).observe(performance.now() - startedAt);
    };
    return streams
      ? countStream(handle as handleBidiStreamingCall<unknown, unknown>, ended)
      : countUnary(handle as handleUnaryCall<unknown, unknown>, ended);
  };
}

type Failure = Pick<CallError, 'cause'> & { readonly code?: status };
type Ended = (error: Failure | undefined, startedAt: number) => void;

function countUnary(handle: handleUnaryCall<unknown, unknown>, ended: Ended): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const startedAt = performance.now();
    handle(call, (error, value, trailer, flags) => {
      ended(error ? (error as Failure) : undefined, startedAt);
      callback(error, value, trailer, flags);
    });
  };
}

/** A stream ends in one of three ways; the first that shows counts. */
function countStream(handle: handleBidiStreamingCall<unknown, unknown>, ended: Ended): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const startedAt = performance.now();
    let open = true;
    const end = (error: Failure | undefined) => {
      if (open) ended(error, startedAt);
      open = false;
    };
    call.on('error', (error: Failure) => end(error));
    call.on('cancelled', () => end({ code: status.CANCELLED }));
    call.on('finish', () => end(undefined));
    handle(call);
  };
}

/** Told the size of each message of one unary method, bytes. */
export interface MessageSizes {
  readonly received: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
}

/** @returns what counts the sizes of messages; asked for each method once */
export function countSizes({ grpc }: SidecarMetrics): (path: string) => MessageSizes {
  return (path) => {
    const [received, sent] = [grpc.receivedBytes.of(path), grpc.sentBytes.of(path)];
    return { received: (bytes) => received.observe(bytes), sent: (bytes) => sent.observe(bytes) };
  };
}
