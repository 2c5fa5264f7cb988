import { createServer } from 'node:http';

export interface SpanSinkServer {
  close(): void;
}

/** Far above what Envoy sends at a time: it holds no more than 1,024 spans. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Takes Envoy's spans on a Unix socket: OTLP over HTTP, one request a batch. @throws Error when the socket cannot be opened */
export async function startSpanSink(socket: string, take: (batch: Uint8Array) => void): Promise<SpanSinkServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      // Answered first: Envoy waits, and nothing that it could do depends on what becomes of the spans.
      response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end();
      take(Buffer.concat(chunks));
    });
  });
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
