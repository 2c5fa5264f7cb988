import { connect, type NetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export interface RawAnswer {
  /** 0: closed without an answer. */
  readonly status: number;
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  /** Each char is one byte. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP/1.1 request, byte for byte as it stands here: no client would send most of these. */
export function rawRequest(where: NetConnectOpts & { tls?: ConnectionOptions }, request: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = where.tls ? connectTls({ ...where, ...where.tls }) : connect(where);
    const lines = Object.entries({ host: 'x', connection: 'close', ...request.headers }).map(([k, v]) => `${k}: ${v}\r\n`);
    socket.write(Buffer.from(`${request.method ?? 'GET'} ${request.target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'));
    let answer = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${JSON.stringify(request.target)}`)));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      // Envoy closes a second after it has answered.
      if (isWhole(answer)) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
    socket.on('close', () => resolve(parse(answer)));
  });
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer.slice(0, end))?.[1];
  return length === undefined ? answer.endsWith('\r\n0\r\n\r\n') : answer.length - end - 4 >= Number(length);
}

function parse(answer: string): RawAnswer {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return { status: 0, body: '' };
  const head = answer.slice(0, end);
  const body = answer.slice(end + 4);
  const status = Number(head.slice(9, 12));
  return { status, body: /transfer-encoding: chunked/i.test(head) ? unchunked(body) : body };
}

function unchunked(body: string): string {
  let whole = '';
  for (let at = 0; ; ) {
    const line = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, line), 16);
    if (!size) return whole;
    whole += body.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}
