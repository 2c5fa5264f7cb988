import type { IncomingMessage, ServerResponse } from 'node:http';

/** The answers that are not one small piece: event streams and very large bodies. */

const EVERY_MS = 10;

/** Events that carry the moment of their writing, nanoseconds of the monotonic clock. */
export function sendEvents(url: string, response: ServerResponse): void {
  let left = numberOf(url, 'events');
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = () => {
    if (left === 0) return void response.end();
    left -= 1;
    response.write(`data: ${process.hrtime.bigint()}\n\n`);
    timer.refresh();
  };
  const timer = setTimeout(send, EVERY_MS);
  response.on('close', () => clearTimeout(timer));
}

/** PUT: counts what comes. GET: sends as many bytes as asked for, no faster than they are taken. */
export function large(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'GET') {
    sendBytes(numberOf(request.url ?? '', 'bytes'), response);
    return;
  }
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => response.end(String(bytes)));
}

const CHUNK = Buffer.alloc(256 * 1024, 'x');

function sendBytes(count: number, response: ServerResponse): void {
  let left = count;
  const more = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!response.write(chunk)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const numberOf = (url: string, name: string) => Number(new URL(url, 'http://app').searchParams.get(name));
