import { STATUS_CODES } from 'node:http';
import { grpcCode } from '../../errors.js';

// Both directions as Dapr has them (reference §1.2.3): they are not each other's inverse.

const g = grpcCode;
const HTTP_BY_GRPC: Readonly<Record<number, number>> = {
  [g.ok]: 200,
  [g.canceled]: 408,
  [g.unknown]: 500,
  [g.invalidArgument]: 400,
  [g.deadlineExceeded]: 504,
  [g.notFound]: 404,
  [g.alreadyExists]: 409,
  [g.permissionDenied]: 403,
  [g.unauthenticated]: 401,
  [g.resourceExhausted]: 429,
  [g.failedPrecondition]: 400,
  [g.aborted]: 409,
  [g.outOfRange]: 400,
  [g.unimplemented]: 501,
  [g.internal]: 500,
  [g.unavailable]: 503,
  [g.dataLoss]: 500,
};
const GRPC_BY_HTTP: Readonly<Record<number, number>> = {
  400: g.internal,
  401: g.unauthenticated,
  403: g.permissionDenied,
  404: g.notFound,
  408: g.canceled,
  409: g.alreadyExists,
  429: g.resourceExhausted,
  500: g.unknown,
  501: g.unimplemented,
  503: g.unavailable,
  504: g.deadlineExceeded,
};

export const httpFromGrpc = (code: number): number => HTTP_BY_GRPC[code] ?? 500;
export const grpcFromHttp = (status: number): number =>
  status >= 200 && status < 300 ? g.ok : (GRPC_BY_HTTP[status] ?? g.unknown);
/** @returns the standard reason phrase, empty for a status without one */
export const statusText = (status: number): string => STATUS_CODES[status] ?? '';
