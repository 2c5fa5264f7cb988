import { Pool } from '../../lib/undici-pool.js';
import type { HttpCall, HttpChannel, HttpReply, HttpStreamReply } from './channel.js';

export interface HttpChannelOptions {
  /** `http://127.0.0.1:6001`; with `socketPath` only its authority matters. */
  readonly origin: string;
  readonly socketPath?: string;
  /** Most connections, and with them most requests at a time. Default 128. */
  readonly maxConnections?: number;
  /** Largest reply that `request` reads, bytes. Default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** Added to every request, such as the app token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** True for https with a certificate that the app made itself. */
  readonly insecureTls?: boolean;
}

const MEBIBYTE = 1024 * 1024;

/** @returns a channel on an undici pool; nothing is connected before the first request */
export function createHttpChannel(options: HttpChannelOptions): HttpChannel {
  const pool = new Pool(options.origin, {
    connections: options.maxConnections ?? 128,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    ...(options.socketPath ? { socketPath: options.socketPath } : {}),
    ...(options.insecureTls ? { connect: { rejectUnauthorized: false } } : {}),
  });
  const maxBodyBytes = options.maxBodyBytes ?? 64 * MEBIBYTE;

  const open = (call: HttpCall) =>
    pool.request({
      method: call.method as 'GET',
      path: call.path,
      headers: { ...call.headers, ...options.headers } as Record<string, string | string[]>,
      body: call.body ?? null,
      signal: call.signal,
      headersTimeout: call.timeoutMs ?? 60_000,
      bodyTimeout: call.timeoutMs ?? 60_000,
    });

  return {
    async request(call): Promise<HttpReply> {
      const reply = await open(call);
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of reply.body as AsyncIterable<Buffer>) {
        size += chunk.length;
        // Checked while reading, so that a huge reply never stands in memory whole.
        if (size > maxBodyBytes) throw new Error(`reply is larger than ${maxBodyBytes} bytes`);
        chunks.push(chunk);
      }
      return {
        status: reply.statusCode,
        headers: withoutUndefined(reply.headers),
        body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
      };
    },
    async stream(call): Promise<HttpStreamReply> {
      const reply = await open(call);
      return { status: reply.statusCode, headers: withoutUndefined(reply.headers), body: reply.body };
    },
    close: () => pool.destroy(),
  };
}

function withoutUndefined(headers: Record<string, string | string[] | undefined>): Record<string, string | string[]> {
  return headers as Record<string, string | string[]>;
}
