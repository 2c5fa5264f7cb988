import type { Metadata } from '@grpc/grpc-js';
import { AppError, grpcCode, messageOf, PassedOnError } from '../../errors.js';
import { HTTPExtension_Verb, type InvokeRequest, type InvokeResponse } from '../../gen/dapr/proto/common/v1/common.js';
import type { HttpChannel, HttpReply } from '../app/channel.js';
import { DATA_TYPE_HEADER, headersFromMetadata, metadataFromHeaders } from './metadata.js';
import { invokePath } from './paths.js';
import { grpcFromHttp, statusText } from './status.js';

export interface InvokeCall {
  readonly id: string;
  readonly message: InvokeRequest;
  /** The caller's metadata: becomes headers. */
  readonly metadata: Metadata;
  readonly signal: AbortSignal;
  /** Milliseconds that the caller still waits; undefined: it set no deadline. */
  readonly timeoutMs?: number;
}

/** How the called app answered. */
export interface InvokeResult {
  readonly response: InvokeResponse;
  /** The app's headers, and `dapr-http-status` when the app speaks HTTP. */
  readonly headers: Metadata;
  /** The app refused. */
  readonly failure?: InvokeFailure;
}

export interface InvokeFailure {
  readonly code: number;
  readonly message: string;
  /** An HTTP app's status and body, for ErrorInfo. */
  readonly http?: { readonly status: number; readonly body: string };
  /** A gRPC app's google.rpc.Status, encoded. */
  readonly status?: Buffer;
}

export interface InvokeService {
  /** Calls a method of another app by name. @throws AppError invokeFailed, badRequest */
  invoke(call: InvokeCall): Promise<InvokeResult>;
}

/** @returns the service; calls take the same routes, retries and policies as the app's own calls by name: through Envoy */
export function createInvokeService(loopback: HttpChannel): InvokeService {
  return {
    async invoke(call) {
      const { message } = call;
      const path = invokePath(call.id, message.method, message.httpExtension?.querystring ?? '');
      const headers = headersFromMetadata(call.metadata);
      // The address of this call is its path; a name left in the metadata would be read as another.
      delete headers['dapr-app-id'];
      delete headers['dapr-callee-app-id'];
      if (message.contentType !== '') headers['content-type'] = message.contentType;
      if (message.data?.typeUrl) headers[DATA_TYPE_HEADER] = message.data.typeUrl;
      const { signal, timeoutMs } = call;
      const method = verbOf(message);
      const body = message.data && message.data.value.length > 0 ? Buffer.from(message.data.value) : undefined;
      let reply: HttpReply;
      try {
        // Without a deadline of the caller's, Envoy's route decides how long a call may take.
        reply = await loopback.request({ method, path, headers, body, signal, timeoutMs: timeoutMs ?? 0 });
      } catch (error) {
        throw new AppError('invokeFailed', { id: call.id, err: messageOf(error) }, error);
      }
      return resultOf(call.id, reply);
    },
  };
}

function verbOf({ httpExtension }: InvokeRequest): string {
  const verb = httpExtension?.verb ?? HTTPExtension_Verb.NONE;
  return verb === HTTPExtension_Verb.NONE ? 'POST' : (HTTPExtension_Verb[verb] ?? 'POST');
}

function resultOf(id: string, reply: HttpReply): InvokeResult {
  const own = sidecarFailure(reply);
  if (own !== undefined) throw new PassedOnError(reply.status === 403 ? 'invokeDenied' : 'invokeFailed', { id, err: own });
  const headers = metadataFromHeaders(reply.headers);
  const contentType = String(reply.headers['content-type'] ?? '');
  const typeUrl = String(reply.headers[DATA_TYPE_HEADER] ?? '');
  const response = { data: { typeUrl, value: reply.body }, contentType };
  const grpcStatus = reply.headers['grpc-status'];
  if (grpcStatus !== undefined) return { response, headers, failure: grpcFailure(Number(grpcStatus), reply) };
  headers.set('dapr-http-status', String(reply.status));
  const code = grpcFromHttp(reply.status);
  if (code === grpcCode.ok) return { response, headers };
  const http = { status: reply.status, body: reply.body.toString('utf8') };
  return { response, headers, failure: { code, message: statusText(reply.status), http } };
}

function grpcFailure(code: number, reply: HttpReply): InvokeFailure | undefined {
  if (code === grpcCode.ok) return undefined;
  const details = reply.headers['grpc-status-details-bin'];
  return {
    code: Number.isInteger(code) ? code : grpcCode.unknown,
    message: decodeURIComponent(String(reply.headers['grpc-message'] ?? '')),
    ...(typeof details === 'string' ? { status: Buffer.from(details, 'base64') } : {}),
  };
}

/** @returns why the call never reached the app, as Envoy or another sidecar says it in Dapr's error body; undefined: the app answered */
function sidecarFailure({ status, body }: HttpReply): string | undefined {
  if (status < 400 || !body.subarray(0, 40).toString('latin1').includes('"ERR_DIRECT_INVOKE"')) return undefined;
  try {
    const { errorCode, message } = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    if (errorCode !== 'ERR_DIRECT_INVOKE' || typeof message !== 'string') return undefined;
    return message.replace(/^failed to invoke, id: [^,]*, err: /, '');
  } catch {
    return undefined;
  }
}
