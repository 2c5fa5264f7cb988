import { connect, type Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);
const READ_BUFFER = 64 * 1024;

export interface SpliceOptions {
  /** The client's connection, half-open allowed. Nothing else may read it any more. */
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
  // One buffer for all reads, handed on by reference: it is free again once the client's socket holds nothing.
  const buffer = Buffer.allocUnsafe(READ_BUFFER);
  const upstream = connect({
    path,
    allowHalfOpen: true,
    onread: {
      buffer,
      callback(size, bytes) {
        client.write(bytes.subarray(0, size) as Buffer);
        if (client.writableLength === 0) return true;
        client.write(NOTHING, () => upstream.resume());
        return false;
      },
    },
  });
  onUpstream(upstream);
  upstream.write(head);
  // From the start: a client may end its side before Envoy has answered the connect, and a paused socket tells that too.
  client.on('end', () => upstream.end());
  client.on('error', () => upstream.destroy());
  client.on('close', () => upstream.destroy());
  const unreachable = () => (client.readableEnded ? client.destroy() : onUnreachable());
  upstream.once('error', unreachable);
  upstream.once('connect', () => {
    upstream.off('error', unreachable);
    relay(client, upstream);
  });
}

function relay(client: Socket, upstream: Socket): void {
  client.on('data', (chunk) => {
    if (!upstream.write(chunk)) client.pause();
  });
  upstream.on('drain', () => client.resume());
  upstream.on('end', () => client.end());
  upstream.on('error', () => client.destroy());
  // What was already written to the client is still sent.
  upstream.on('close', () => client.destroySoon());
  client.resume();
}
