import { type Client, Metadata, type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { messageOf } from '../../errors.js';

type Bytes = Buffer;
/** The part of grpc-js's server that looks a method's handler up. Private there; the door's relay test fails if it changes. */
interface HandlerLookup {
  _retrieveHandler(path: string): BytesHandler | null;
}
interface BytesHandler {
  readonly type: 'bidi';
  readonly path: string;
  readonly func: (call: ServerDuplexStream<Bytes, Bytes>) => void;
  readonly serialize: (value: Bytes) => Buffer;
  readonly deserialize: (bytes: Buffer) => Bytes;
}

/** No service is called so. Envoy would take it for a call of the HTTP API, behind whatever guards that one's port. */
const HTTP_API = /^\/v1\.0[^/]*\//;

const same = (bytes: Buffer): Buffer => bytes;
/** HTTP/2's and grpc-js's own; the next hop writes its own. */
const HOP_METADATA = ['user-agent', 'grpc-accept-encoding', 'accept-encoding', 'te', 'content-type'];

/**
 * Lets `server` take calls of services that it does not have and hand them on, frame by frame, through `target` (Envoy's loopback
 * listener). For connections that grpc-js owns already when such a call comes: official SDKs share one connection for
 * Dapr's service and for proxied ones. grpc-js has no public hook for unknown methods. `onCall` hears of every call.
 */
export function relayUnknownMethods(server: Server, target: Client, onCall?: (path: string) => void): void {
  const lookup = server as unknown as HandlerLookup;
  const original = lookup._retrieveHandler;
  if (typeof original !== 'function') throw new Error('this version of grpc-js looks its handlers up in another way');
  lookup._retrieveHandler = (path) => {
    onCall?.(path);
    const own = original.call(server, path);
    if (own !== null || path.startsWith('/dapr.proto.runtime.v1.Dapr/') || HTTP_API.test(path)) return own;
    return { type: 'bidi', path, func: (call) => relay(call, target, path), serialize: same, deserialize: same };
  };
}

function relay(call: ServerDuplexStream<Bytes, Bytes>, target: Client, path: string): void {
  const metadata = call.metadata.clone();
  for (const key of HOP_METADATA) metadata.remove(key);
  const upstream = target.makeBidiStreamRequest(path, same, same, metadata, { deadline: call.getDeadline() });

  upstream.on('metadata', (headers) => call.sendMetadata(headers));
  upstream.on('data', (message: Bytes) => {
    if (call.write(message)) return;
    upstream.pause();
    call.once('drain', () => upstream.resume());
  });
  // An error status arrives as `error`, a good one only as `status`; both carry the trailers.
  upstream.on('error', (error: Error & { code?: number; details?: string; metadata?: Metadata }) =>
    call.emit('error', {
      code: error.code ?? status.UNKNOWN,
      details: error.details ?? messageOf(error),
      metadata: error.metadata ?? new Metadata(),
    }),
  );
  upstream.on('status', (end) => {
    if (end.code === status.OK) call.end(end.metadata);
  });

  call.on('data', (message: Bytes) => {
    if (upstream.write(message)) return;
    call.pause();
    upstream.once('drain', () => call.resume());
  });
  call.on('end', () => upstream.end());
  call.on('cancelled', () => upstream.cancel());
  call.on('error', () => upstream.cancel());
}
