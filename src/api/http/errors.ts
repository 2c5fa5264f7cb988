import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import { type ErrorDetail, errorDetails } from '../error-details.js';

/** @returns Dapr's error body: two keys, and `details` on rich errors (reference §1.2) */
export function errorBody(error: AppError): string {
  const details = errorDetails(error);
  const body = { errorCode: error.row.errorCode, message: error.message };
  return JSON.stringify(details.length === 0 ? body : { ...body, details: details.map(toJson) });
}

function toJson(detail: ErrorDetail): Record<string, unknown> {
  const type = `type.googleapis.com/google.rpc.${detail.type}`;
  switch (detail.type) {
    case 'ErrorInfo':
      return { '@type': type, reason: detail.reason, domain: detail.domain, metadata: detail.metadata };
    case 'ResourceInfo':
      return {
        '@type': type,
        resource_type: detail.resourceType,
        resource_name: detail.resourceName,
        owner: '',
        description: detail.description,
      };
    case 'BadRequest':
      return { '@type': type, field_violations: [{ field: detail.field, description: detail.description }] };
    case 'Help':
      return { '@type': type, links: [{ description: detail.description, url: detail.url }] };
  }
}

/** Codes by which fastify refuses a request before a handler sees it, in Dapr's words. */
const FASTIFY_ERRORS: Readonly<Record<string, 'bodyRead' | 'badRequest'>> = {
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bodyRead',
  FST_ERR_BAD_URL: 'badRequest',
};

/** @returns `error` as an AppError; fastify's own refusals keep their meaning */
export function toAppError(error: unknown, maxBodyBytes: number): AppError {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AppError('bodyTooLarge', { max: String(maxBodyBytes) });
  const name = typeof code === 'string' ? FASTIFY_ERRORS[code] : undefined;
  return name ? new AppError(name, {}, error) : AppError.from(error);
}

/** Answers with `error`'s status and body, unless an answer is already under way: then the connection is cut. */
export function writeError(response: ServerResponse, error: AppError, logger: Logger): void {
  // What nobody expected goes to the log only: its text may hold what no client may see.
  if (error.code === 'internal') logger.error('request failed', { error: stackOf(error.cause ?? error) });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = errorBody(error);
  response.writeHead(error.row.http, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
  if (error.row.http === 413) linger(response.req);
}

/** How long the rest of a body that is too large is read and dropped. */
const LINGER_MS = 1000;

/**
 * A connection that is closed while the client still sends is reset, and with it goes the answer, unread (RFC 9112 §9.6). So the client gets
 * some time to see the answer and to stop; then the connection is cut.
 */
function linger(request: IncomingMessage): void {
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(cut));
  request.once('end', () => clearTimeout(cut));
  request.resume();
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
