import { createServer, type Socket } from 'node:net';

/** A Unix socket that takes connections before whoever serves them is there. */
export interface EarlySocket {
  /** Hands over every connection, those that wait first. */
  serve(accept: (connection: Socket) => void): void;
  close(): void;
}

/**
 * Listens at once. Envoy starts while this process still loads gRPC, and asks for its certificate first of all: here it waits for an
 * answer instead of failing and trying again. Nothing is read before the connection is handed over.
 */
export async function listenEarly(path: string): Promise<EarlySocket> {
  const waiting: Socket[] = [];
  let accept = (connection: Socket): void => void waiting.push(connection);
  const server = createServer({ pauseOnConnect: true }, (connection) => {
    connection.on('error', () => connection.destroy());
    accept(connection);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    serve(taker) {
      accept = (connection) => {
        // Starts to read; what comes goes to whoever has the connection by then.
        connection.read(0);
        taker(connection);
      };
      for (const connection of waiting.splice(0)) accept(connection);
    },
    close() {
      server.close();
      for (const connection of waiting.splice(0)) connection.destroy();
    },
  };
}
