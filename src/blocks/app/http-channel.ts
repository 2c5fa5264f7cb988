import { Pool } from '../../lib/undici-pool.js';
import type { HttpCall, HttpChannel, HttpStreamReply } from './channel.js';
import { collectReply } from './collect-reply.js';

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
const DEADLINE_MS = 60_000;

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

  const optionsOf = (call: HttpCall) => ({
    method: call.method as 'GET',
    path: call.path,
    headers: { ...call.headers, ...options.headers } as Record<string, string | string[]>,
    body: call.body ?? null,
    headersTimeout: call.timeoutMs ?? DEADLINE_MS,
    bodyTimeout: call.timeoutMs ?? DEADLINE_MS,
  });

  return {
    request: (call) => collectReply(pool, optionsOf(call), { maxBodyBytes, signal: call.signal }),
    async stream(call): Promise<HttpStreamReply> {
      const reply = await pool.request({ ...optionsOf(call), signal: call.signal });
      return { status: reply.statusCode, headers: reply.headers as HttpStreamReply['headers'], body: reply.body };
    },
    close: () => pool.destroy(),
  };
}
