import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import type { InvokeFailure, InvokeService } from '../../blocks/invoke/service.js';
import { AppError } from '../../errors.js';
import type { InvokeResponse } from '../../gen/dapr/proto/common/v1/common.js';
import type { InvokeServiceRequest } from '../../gen/dapr/proto/runtime/v1/invoke.js';
import { Status } from '../../gen/google/rpc/status.js';
import type { CallError } from './errors.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

/** Calls by name over gRPC (reference §3.4). */
export function invokeMethods(service: InvokeService): DaprMethods {
  return { invokeService: unary((request, call) => invoke(service, request, call)) };
}

async function invoke(
  service: InvokeService,
  { id, message }: InvokeServiceRequest,
  call: ServerUnaryCall<InvokeServiceRequest, InvokeResponse>,
): Promise<InvokeResponse> {
  if (!message) throw new AppError('badRequest', { err: 'message is missing' });
  const abort = new AbortController();
  call.on('cancelled', () => abort.abort());
  const result = await service.invoke({
    id,
    message,
    metadata: call.metadata,
    signal: abort.signal,
    timeoutMs: timeLeft(call.getDeadline()),
  });
  call.sendMetadata(result.headers);
  if (result.failure) throw toStatus(result.failure);
  return result.response;
}

function timeLeft(deadline: Date | number): number | undefined {
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(at) ? Math.max(1, at - Date.now()) : undefined;
}

function toStatus({ code, message, http, status }: InvokeFailure): CallError {
  const metadata = new Metadata();
  if (status) metadata.set('grpc-status-details-bin', status);
  if (http) metadata.set('grpc-status-details-bin', errorInfo(code, message, http));
  return { code, details: message, metadata };
}

/** As daprd does, because the limit for values in ErrorInfo is 64 characters. */
const MAX_VALUE = 63;

function errorInfo(code: number, message: string, http: NonNullable<InvokeFailure['http']>): Buffer {
  const writer = new BinaryWriter().uint32(10).string(message).uint32(18).string('dapr.io');
  const values = { 'http.code': String(http.status), 'http.error_message': http.body.slice(0, MAX_VALUE) };
  for (const [key, value] of Object.entries(values))
    writer.uint32(26).fork().uint32(10).string(key).uint32(18).string(value).join();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(writer.finish()) }];
  return Buffer.from(Status.encode({ code, message, details }).finish());
}
