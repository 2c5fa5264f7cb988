import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { AppError } from '../../errors.js';
import { Status } from '../../gen/google/rpc/status.js';
import type { Logger } from '../../telemetry/logger.js';
import { type ErrorDetail, errorDetails } from '../error-details.js';

const DETAILS = 'grpc-status-details-bin';

/** What grpc-js takes as the error of a call. */
export type CallError = Pick<StatusObject, 'code' | 'details'> & { metadata?: Metadata; readonly cause?: AppError };

/** @returns `error` as gRPC status with its details (reference §3.1, §3.5); what nobody expected goes to the log only */
export function toCallError(error: unknown, logger: Logger): CallError {
  if (isStatus(error)) return error as CallError;
  const appError = AppError.from(error);
  if (appError.code === 'internal') {
    const cause = appError.cause ?? appError;
    logger.error('call failed', { error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
  }
  const details = errorDetails(appError);
  // A legacy error has no reason of its own: its `ERR_*` code stands in.
  const shown: readonly ErrorDetail[] =
    details.length > 0 ? details : [{ type: 'ErrorInfo', reason: appError.row.errorCode, domain: 'dapr.io', metadata: {} }];
  return { ...callError(appError.row.grpc, appError.message, shown), cause: appError };
}

/** The answer to a missing or wrong API token (reference §3.1). */
export function unauthorized(): CallError {
  return callError(status.UNAUTHENTICATED, 'Unauthorized', [
    {
      type: 'ErrorInfo',
      reason: 'Unauthorized',
      domain: 'dapr.io',
      metadata: { 'http.code': '401', 'http.error_message': 'invalid api token' },
    },
  ]);
}

function callError(code: number, message: string, details: readonly ErrorDetail[]): CallError {
  const metadata = new Metadata();
  const encoded = details.map((detail) => ({ typeUrl: `type.googleapis.com/google.rpc.${detail.type}`, value: encode(detail) }));
  metadata.set(DETAILS, Buffer.from(Status.encode({ code, message, details: encoded }).finish()));
  return { code, details: message, metadata };
}

function isStatus(error: unknown): error is ServiceError {
  const { code, details } = (error ?? {}) as { code?: unknown; details?: unknown };
  return typeof code === 'number' && typeof details === 'string';
}

const LENGTH_DELIMITED = 2;
const tag = (field: number) => (field << 3) | LENGTH_DELIMITED;

/** By hand, since google/rpc/error_details.proto is not among the generated files: four small messages of strings. */
function encode(detail: ErrorDetail): Buffer {
  const writer = new BinaryWriter();
  const text = (field: number, value: string) => {
    if (value !== '') writer.uint32(tag(field)).string(value);
  };
  switch (detail.type) {
    case 'ErrorInfo':
      text(1, detail.reason);
      text(2, detail.domain);
      for (const [key, value] of Object.entries(detail.metadata)) pair(writer, 3, [key, value]);
      break;
    case 'ResourceInfo':
      text(1, detail.resourceType);
      text(2, detail.resourceName);
      text(4, detail.description);
      break;
    case 'BadRequest':
      pair(writer, 1, [detail.field, detail.description]);
      break;
    case 'Help':
      pair(writer, 1, [detail.description, detail.url]);
      break;
  }
  return Buffer.from(writer.finish());
}

/** A message with strings in its fields 1 and 2: map entry, field violation, link. */
function pair(writer: BinaryWriter, field: number, [first, second]: readonly [string, string]): void {
  writer.uint32(tag(field)).fork();
  writer.uint32(tag(1)).string(first);
  writer.uint32(tag(2)).string(second);
  writer.join();
}
