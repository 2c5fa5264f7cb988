import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { connect as connectH2 } from 'node:http2';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CallOptions extends Pick<RequestOptions, 'method' | 'headers' | 'socketPath'> {
  readonly body?: string | Buffer;
}

/** One HTTP/1.1 call with exactly the given headers and the path as it stands: fetch would normalise both. */
export function call(url: string, { body, ...options }: CallOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const path = url.slice(url.indexOf('/', 'http://'.length));
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, path, agent: false, method: body === undefined ? 'GET' : 'POST', ...options },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends bytes and @returns all that comes back until the other side closes, or `quietMs` after its first answer */
export function rawCall(port: number, bytes: string, quietMs = 500): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      setTimeout(() => socket.destroy(), quietMs);
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

export interface GrpcAnswer {
  readonly headers: Record<string, string>;
  readonly status: string;
  readonly message: string;
}

/** One gRPC call with an empty message, without a library, so that every header is the test's own. */
export function grpcCall(authority: string, path: string, metadata: Record<string, string> = {}): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const session = connectH2(authority);
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
    });
    let headers: Record<string, string> = {};
    let trailers: Record<string, string> = {};
    stream.on('response', (got) => {
      headers = got as Record<string, string>;
    });
    stream.on('trailers', (got) => {
      trailers = got as Record<string, string>;
    });
    stream.on('error', reject);
    stream.on('close', () => {
      session.close();
      const all = { ...headers, ...trailers };
      resolve({ headers, status: all['grpc-status'] ?? '', message: decodeURIComponent(all['grpc-message'] ?? '') });
    });
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
}
