import type { FastifyReply } from 'fastify';

/** Answers 204. Written straight to Node's response: fastify's own way costs a request several microseconds. */
export function sendEmpty(reply: FastifyReply): void {
  reply.hijack();
  const response = reply.raw;
  response.writeHead(204);
  response.end();
}

/** Answers 200 with JSON bytes. @param headers more headers, as a flat list of names and values */
export function sendJson(reply: FastifyReply, body: Buffer | string, headers: readonly string[] = NONE): void {
  reply.hijack();
  const response = reply.raw;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(length), ...headers]);
  // As Latin-1 text, which keeps every byte, Node sends head and body in one piece: cheaper for small bodies.
  if (typeof body !== 'string' && length <= SMALL_BODY) response.end(body.toString('latin1'), 'latin1');
  else response.end(body);
}

const SMALL_BODY = 4096;

const NONE: readonly string[] = [];
