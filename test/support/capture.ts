import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that keeps a copy of what passes. */
export interface Capture {
  readonly port: number;
  /** How many connections came so far. */
  connections(): number;
  /** Everything that clients and server sent, one after the other. */
  bytes(): Buffer;
  /** What the first bytes of each direction of each connection were. */
  openings(): readonly Buffer[];
  close(): void;
}

/** @param target port on loopback */
export async function startCapture(target: number): Promise<Capture> {
  const chunks: Buffer[] = [];
  const openings: Buffer[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const copy = (from: Socket, to: Socket) => {
    let first = true;
    from.on('data', (chunk: Buffer) => {
      if (first) openings.push(chunk);
      first = false;
      chunks.push(chunk);
      to.write(chunk);
    });
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  };
  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket);
    copy(client, upstream);
    copy(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    connections: () => connections,
    bytes: () => Buffer.concat(chunks),
    openings: () => openings,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
