import { type AddressInfo, createServer } from 'node:net';

const LOWEST = 20_000;
const HIGHEST = 30_000;
const given = new Set<number>();

/**
 * A TCP port on loopback that nobody listens on. From below the kernel's range for outgoing connections, so that
 * no client socket takes it between this answer and the moment that a server listens.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => {
      const free = (server.address() as AddressInfo).port === port;
      server.close(() => resolve(free));
    });
  });
}
