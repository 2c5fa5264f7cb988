import { connect, type Socket } from 'node:net';

/** HTTP/2 frames as no client would send them (RFC 9113 §4, §6). */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME = { headers: 1, rst: 3, settings: 4, ping: 6, continuation: 9 } as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** @returns a header as a literal without indexing (RFC 7541 §6.2.2), which no decoder has to remember */
export function literal(name: string, value: string): Buffer {
  const text = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  if (name.length > 126 || value.length > 126) throw new Error('longer than one length byte holds');
  return Buffer.concat([Buffer.from([0]), text(Buffer.from(name)), text(Buffer.from(value))]);
}

export const requestHeaders = (path: string): Buffer =>
  Buffer.concat([
    literal(':method', 'POST'),
    literal(':scheme', 'http'),
    literal(':path', path),
    literal(':authority', 'x'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);

/** Opens a connection that has sent preface and settings; what the server says is read and dropped. */
export async function openH2(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  // A server that cuts an attack off resets the connection; that is its right.
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0)]));
  return socket;
}
