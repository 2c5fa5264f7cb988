import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { InvokeRequest, InvokeResponse } from '../../gen/dapr/proto/common/v1/common.js';
import {
  AppCallbackAlphaService,
  AppCallbackService,
  type ListTopicSubscriptionsResponse,
  type TopicEventBulkRequest,
  type TopicEventBulkResponse,
  type TopicEventRequest,
  type TopicEventResponse,
} from '../../gen/dapr/proto/runtime/v1/appcallback.js';
import type { Empty } from '../../gen/google/protobuf/empty.js';

export interface CallbackOptions {
  /** Sent as gRPC metadata; a Record's names and values that gRPC cannot carry are left out. */
  readonly metadata?: Metadata | Readonly<Record<string, string>>;
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED. Default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface CallbackReply<T> {
  readonly response: T;
  /** Header metadata that the app sent. */
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/** A gRPC app as its sidecar calls it (reference §3.1). Every method rejects with grpc-js's ServiceError: `code`, `details`, `metadata`. */
export interface AppCallback {
  onInvoke(request: InvokeRequest, options?: CallbackOptions): Promise<CallbackReply<InvokeResponse>>;
  listTopicSubscriptions(options?: CallbackOptions): Promise<ListTopicSubscriptionsResponse>;
  onTopicEvent(request: TopicEventRequest, options?: CallbackOptions): Promise<TopicEventResponse>;
  onBulkTopicEvent(request: TopicEventBulkRequest, options?: CallbackOptions): Promise<TopicEventBulkResponse>;
  /** What apps of older SDKs implement instead of `onBulkTopicEvent`. */
  onBulkTopicEventAlpha1(request: TopicEventBulkRequest, options?: CallbackOptions): Promise<TopicEventBulkResponse>;
  /** Ends the connection; calls under way fail. Idempotent. */
  close(): void;
}

export interface AppCallbackTarget {
  /** `host:port` or `unix:<path>`. */
  readonly address: string;
  readonly tls: boolean;
  /** The app token (`APP_API_TOKEN`), sent as `dapr-api-token` with every call. */
  readonly token?: string;
  /** Largest message in either direction, bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  readonly observer?: CallbackObserver | undefined;
}

/** Told of each call when it has ended, for metrics. */
export type CallbackObserver = (call: {
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly code: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly ms: number;
}) => void;

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

const MEBIBYTE = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;

/** @returns the app's callback services over one connection; nothing is connected before the first call */
export function createAppCallback(target: AppCallbackTarget): AppCallback {
  const limit = target.maxMessageBytes ?? 4 * MEBIBYTE;
  const client = new Client(
    target.address,
    // The app's certificate is its own make: what matters between an app and its sidecar is the encryption (`grpcs`).
    target.tls ? credentials.createSsl(null, null, null, { rejectUnauthorized: false }) : credentials.createInsecure(),
    { 'grpc.max_receive_message_length': limit, 'grpc.max_send_message_length': limit },
  );

  const call = <Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallbackOptions = {},
  ): Promise<CallbackReply<Response>> =>
    new Promise((resolve, reject) => {
      const metadata = toMetadata(options.metadata);
      if (target.token) metadata.set('dapr-api-token', target.token);
      const sizes = { sentBytes: 0, receivedBytes: 0 };
      const startedAt = performance.now();
      let headers = new Metadata();
      let trailers = new Metadata();
      const done = (error: ServiceError | null, response?: Response) => {
        options.signal?.removeEventListener('abort', cancel);
        const ms = performance.now() - startedAt;
        target.observer?.({ method: method.path, code: error ? error.code : 0, ...sizes, ms });
        if (error) reject(error);
        // `status` comes right after the callback: only then are the trailers known.
        else queueMicrotask(() => resolve({ response: response as Response, headers, trailers }));
      };
      const unary = client.makeUnaryRequest(
        method.path,
        (value: Request) => {
          const bytes = method.requestSerialize(value);
          sizes.sentBytes = bytes.length;
          return bytes;
        },
        (bytes: Buffer) => {
          sizes.receivedBytes = bytes.length;
          return method.responseDeserialize(bytes);
        },
        request,
        metadata,
        { deadline: Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) },
        done,
      );
      const cancel = () => unary.cancel();
      if (options.signal?.aborted) cancel();
      options.signal?.addEventListener('abort', cancel, { once: true });
      unary.on('metadata', (received: Metadata) => {
        headers = received;
      });
      unary.on('status', (status) => {
        trailers = status.metadata;
      });
    });

  const bodyOf = async <T>(reply: Promise<CallbackReply<T>>): Promise<T> => (await reply).response;
  const { onInvoke, listTopicSubscriptions, onTopicEvent, onBulkTopicEvent } = AppCallbackService;
  const { onBulkTopicEventAlpha1 } = AppCallbackAlphaService;
  return {
    onInvoke: (request, options) => call(onInvoke, request, options),
    listTopicSubscriptions: (options) => bodyOf(call(listTopicSubscriptions, {} as Empty, options)),
    onTopicEvent: (request, options) => bodyOf(call(onTopicEvent, request, options)),
    onBulkTopicEvent: (request, options) => bodyOf(call(onBulkTopicEvent, request, options)),
    onBulkTopicEventAlpha1: (request, options) => bodyOf(call(onBulkTopicEventAlpha1, request, options)),
    close: () => client.close(),
  };
}

function toMetadata(source: CallbackOptions['metadata']): Metadata {
  if (source instanceof Metadata) return source.clone();
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(source ?? {})) {
    // Names that end in -bin carry bytes, which a Record cannot; grpc-js throws on what HTTP/2 refuses.
    if (/^[0-9a-z_.-]+$/i.test(name) && !/-bin$/i.test(name) && /^[\x20-\x7e]*$/.test(value)) metadata.set(name, value);
  }
  return metadata;
}
