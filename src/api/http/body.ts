import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { AppError } from '../../errors.js';

/** Gets the whole body, or why there is none. */
export type BodyDone = (error: AppError | undefined, body: Buffer | undefined) => void;

/** @returns whether the message says that it has a body (RFC 9112 §6.3) */
export function hasBody(message: IncomingMessage): boolean {
  const { headers } = message;
  const length = headers['content-length'];
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined;
}

/**
 * Reads a body of at most `limit` bytes and calls `done` once. The limit counts while reading: a longer body is given up
 * at once, the caller closes the connection.
 */
export function readBody(message: IncomingMessage, limit: number, done: BodyDone): void {
  const expected = message.headers['content-length'];
  if (expected !== undefined && Number(expected) > limit) {
    done(tooLarge(limit), undefined);
    return;
  }
  const reader = new BodyReader(message, limit, done);
  reader.start();
}

const tooLarge = (limit: number) => new AppError('bodyTooLarge', { max: String(limit) });

class BodyReader {
  readonly #message: Readable;
  readonly #limit: number;
  readonly #done: BodyDone;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #settled = false;

  constructor(message: Readable, limit: number, done: BodyDone) {
    this.#message = message;
    this.#limit = limit;
    this.#done = done;
  }

  start(): void {
    this.#message.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#message.on('end', () => this.#settle(undefined));
    this.#message.on('error', (error) => this.#settle(new AppError('bodyRead', {}, error)));
    // A client that goes away in the middle ends with 'aborted' or 'close', not always with 'error'.
    this.#message.on('close', () => this.#broken());
  }

  #broken(): void {
    // Every message closes, so the error, whose stack is dear, is made only when it is one.
    if (!this.#settled) this.#settle(new AppError('bodyRead', { err: 'connection closed before the end of the body' }));
  }

  #take(chunk: Buffer): void {
    if (this.#settled) return;
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#settle(tooLarge(this.#limit));
    else this.#chunks.push(chunk);
  }

  #settle(error: AppError | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    // Copied even when it is one chunk: a chunk is a view on the socket's 64 KiB read buffer, which a kept body would hold in memory.
    this.#done(error, error ? undefined : Buffer.concat(this.#chunks, this.#size));
  }
}
