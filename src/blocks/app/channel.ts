import type { Readable } from 'node:stream';

/** Header values as Node and undici give them: a repeated header is an array. Names are lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface HttpCall {
  readonly method: string;
  /** Path with query, as it goes on the wire. */
  readonly path: string;
  readonly headers?: Headers;
  readonly body?: Buffer | string | Readable;
  readonly signal?: AbortSignal;
  /** Milliseconds until the response headers, and between body chunks. Default 60,000. */
  readonly timeoutMs?: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

export interface HttpStreamReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Readable;
}

/** An HTTP/1.1 peer with a bounded pool of connections: the app, or Envoy's loopback listener. */
export interface HttpChannel {
  /** Reads the whole reply, at most the channel's body limit. @throws Error on connection failure, timeout or a larger body */
  request(call: HttpCall): Promise<HttpReply>;
  /** Hands the reply's body over as a stream. */
  stream(call: HttpCall): Promise<HttpStreamReply>;
  close(): Promise<void>;
}

/** The app as its sidecar reaches it. `none`: started without --app-port. */
export type AppChannel =
  | { readonly kind: 'http'; readonly http: HttpChannel }
  | { readonly kind: 'grpc'; readonly address: string; readonly tls: boolean }
  | { readonly kind: 'none' };
