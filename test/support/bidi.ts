import { Client, credentials, Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

const METHOD = '/test.Echo/Chat';
const bytes = (value: Buffer) => value;
const CHAT = {
  path: METHOD,
  requestStream: true,
  responseStream: true,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** A gRPC app that answers each message of a stream with itself. */
export async function startEchoApp(): Promise<{ readonly port: number; close(): void }> {
  const server = new Server();
  const chat = (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
    call.on('error', () => {});
  };
  server.addService({ chat: CHAT }, { chat });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

/** One bidirectional stream to an app through a sidecar: a message every 50 ms, each awaited. */
export interface Chat {
  /** Messages that came back. */
  answered(): number;
  /** Undefined: the stream lives. */
  failure(): string | undefined;
  close(): void;
}

/** @param grpcPort the caller's gRPC API */
export function startChat(grpcPort: number, appId: string): Chat {
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('dapr-app-id', appId);
  const stream = client.makeBidiStreamRequest(METHOD, bytes, bytes, metadata);
  let answered = 0;
  let failure: string | undefined;
  let closing = false;
  const send = () => stream.write(Buffer.from(String(answered)));
  stream.on('data', (message: Buffer) => {
    if (message.toString() !== String(answered)) failure = `${message} in place of ${answered}`;
    answered += 1;
    setTimeout(() => closing || send(), 50);
  });
  stream.on('error', (error) => {
    if (!closing) failure ??= error.message;
  });
  stream.on('end', () => {
    if (!closing) failure ??= 'the stream ended';
  });
  send();
  return {
    answered: () => answered,
    failure: () => failure,
    close() {
      closing = true;
      stream.cancel();
      client.close();
    },
  };
}
