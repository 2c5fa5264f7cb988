import { connect, type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { giveBackWhenClosed, takeReadBuffer } from './read-buffers.js';

const NOTHING = Buffer.alloc(0);

export interface SpliceOptions {
  /** The client's connection, half-open allowed. Nothing else may read it any more; destroying it ends the splice. */
  readonly client: Socket;
  /** Unix socket of Envoy's loopback listener. */
  readonly path: string;
  /** Bytes that were read from the client already. */
  readonly head: Buffer;
  /** Called instead of the splice when the socket cannot be reached; the client is untouched then. */
  readonly onUnreachable: () => void;
  /** Tells of the upstream socket, so that a stopping door can end it. */
  readonly onUpstream: (upstream: Socket) => void;
}

/** Ties a client's connection to Envoy: bytes both ways, half-close and backpressure kept, nothing parsed. */
export function splice({ client, path, head, onUnreachable, onUpstream }: SpliceOptions): void {
  let near: Socket | undefined;
  const onread = readInto(
    () => near as Socket,
    () => upstream,
  );
  const upstream: Socket = connect({ path, allowHalfOpen: true, onread });
  onUpstream(upstream);
  upstream.write(head);
  // From the start: a client may end its side before Envoy has answered the connect, and a paused socket tells that too.
  client.on('end', () => upstream.end());
  client.on('error', () => upstream.destroy());
  client.on('close', () => upstream.destroy());
  const unreachable = () => (client.readableEnded ? client.destroy() : onUnreachable());
  // Also when the door gives it up, which is no error: the client would wait for ever.
  const gone = () => client.destroyed || unreachable();
  upstream.on('error', () => {}).once('close', gone);
  upstream.once('connect', () => {
    upstream.off('close', gone);
    if (client.destroyed) return void upstream.destroy();
    near = takeOver(client, upstream);
    giveBackWhenClosed(onread.buffer, [near, upstream]);
    relay(near, upstream);
  });
}

/** Reads go into one buffer and are handed on by reference: it is free again once `to` holds nothing. */
function readInto(to: () => Socket, from: () => Socket): OnReadOpts & { readonly buffer: Buffer } {
  return {
    buffer: takeReadBuffer(),
    callback(size, bytes) {
      const target = to();
      target.write(bytes.subarray(0, size) as Buffer);
      if (target.writableLength === 0) return true;
      target.write(NOTHING, () => from().resume());
      return false;
    },
  };
}

/** What is not public of Node's sockets: the connection itself, which a new socket can take. */
interface WithHandle {
  _handle: unknown;
}

/**
 * A server's sockets allocate 64 KiB for every read and pass it through a stream, 2 to 10 µs of a spliced request;
 * `onread` is for sockets that one makes oneself. So a new one takes the connection, as Node does it with those that another process
 * sends. `client` stays behind as what others know the connection by: each ends the other.
 */
function takeOver(client: Socket, upstream: Socket): Socket {
  const waiting: Buffer | null = client.read();
  if (waiting) upstream.write(waiting);
  const owner = client as unknown as WithHandle;
  const handle = owner._handle;
  owner._handle = null;
  const onread = readInto(
    () => upstream,
    () => near,
  );
  const near: Socket = new Socket({ handle, allowHalfOpen: true, onread } as SocketConstructorOpts);
  giveBackWhenClosed(onread.buffer, [near, upstream]);
  client.on('close', () => near.destroy());
  near.on('close', () => client.destroy());
  return near;
}

function relay(near: Socket, upstream: Socket): void {
  near.on('end', () => upstream.end());
  near.on('error', () => upstream.destroy());
  upstream.on('end', () => near.end());
  upstream.on('error', () => near.destroy());
  // What was already written to the client is still sent.
  upstream.on('close', () => near.destroySoon());
  near.resume();
}
