import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { grpcCode } from '../../errors.js';
import { HTTPExtension_Verb } from '../../gen/dapr/proto/common/v1/common.js';
import type { Headers, HttpReply } from '../app/channel.js';
import type { AppCallback } from '../app/grpc-callback.js';
import { DATA_TYPE_HEADER, headersFromMetadata, metadataFromHeaders } from './metadata.js';
import { cleanMethod } from './paths.js';
import { httpFromGrpc } from './status.js';

/** An HTTP call by name that arrived for a gRPC app. */
export interface CallbackCall {
  readonly verb: string;
  /** Path with query, as it came. */
  readonly path: string;
  readonly headers: Headers;
  readonly body?: Buffer;
}

/**
 * Delivers an HTTP call to a gRPC app through AppCallback.OnInvoke (reference §1.3). A status that is not OK becomes the mapped HTTP
 * code with the status as JSON body; `grpc-status` headers keep it exact for callers that speak gRPC themselves.
 * @throws AppError badRequest for a path that no method can have
 */
export async function callBack(app: AppCallback, call: CallbackCall): Promise<HttpReply> {
  const [path = '', querystring = ''] = splitOnce(call.path, '?');
  const typeUrl = String(call.headers[DATA_TYPE_HEADER] ?? '');
  const contentType = String(call.headers['content-type'] ?? '');
  const verb = HTTPExtension_Verb[call.verb as keyof typeof HTTPExtension_Verb] ?? HTTPExtension_Verb.NONE;
  const request = {
    method: cleanMethod(decodedPath(path)),
    data: { typeUrl, value: call.body ?? Buffer.alloc(0) },
    contentType,
    httpExtension: { verb, querystring },
  };
  try {
    const { response, headers } = await app.onInvoke(request, { metadata: metadataFromHeaders(call.headers) });
    return {
      status: 200,
      headers: {
        ...headersFromMetadata(headers),
        'content-type': response.contentType || 'application/octet-stream',
        ...(response.data?.typeUrl ? { [DATA_TYPE_HEADER]: response.data.typeUrl } : {}),
        'grpc-status': '0',
      },
      body: Buffer.from(response.data?.value ?? []),
    };
  } catch (error) {
    return refusal(error as ServiceError);
  }
}

function refusal({ code = grpcCode.unknown, details, message, metadata }: ServiceError): HttpReply {
  const text = details ?? message;
  const [status] = metadata?.get('grpc-status-details-bin') ?? [];
  return {
    status: httpFromGrpc(code),
    headers: {
      ...headersFromMetadata(metadata ?? new Metadata()),
      'content-type': 'application/json',
      'grpc-status': String(code),
      'grpc-message': encodeURIComponent(text),
      ...(status instanceof Buffer ? { 'grpc-status-details-bin': status.toString('base64') } : {}),
    },
    body: Buffer.from(JSON.stringify({ code, message: text })),
  };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not an encoding at all: the app gets what was sent.
    return path;
  }
}
