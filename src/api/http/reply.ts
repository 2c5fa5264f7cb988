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
  response.end(body);
}

const NONE: readonly string[] = [];
