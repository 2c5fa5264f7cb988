import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf, UsageError } from '../../errors.js';

/** Where an API port listens: TCP, or a Unix socket with `--unix-domain-socket`. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface Door {
  /** Takes no new connection; those that are open go on. */
  refuse(): void;
  /** Ends every connection too. Idempotent. */
  close(): void;
}

export interface OpenDoorOptions {
  readonly addresses: readonly ListenAddress[];
  /** The flag that names the address, for messages. */
  readonly flag: string;
  /** Serves a connection; `track` takes a socket that shall end when the door closes. */
  readonly serve: (client: Socket, track: (socket: Socket) => void) => void;
}

/** Listens on every address. @throws UsageError when one is taken; none is listening then */
export async function openDoor(options: OpenDoorOptions): Promise<Door> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const servers: Server[] = [];
  const refuse = () => {
    for (const server of servers) server.close();
  };
  try {
    for (const address of options.addresses) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
        track(client);
        options.serve(client, track);
      });
      servers.push(server);
      await listen(server, address, options.flag);
    }
  } catch (error) {
    refuse();
    throw error;
  }
  return {
    refuse,
    close() {
      refuse();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** @returns `address` as a person writes it */
export const describeAddress = (address: ListenAddress): string =>
  'path' in address ? address.path : `${address.host}:${address.port}`;

/** @throws UsageError that names address, flag and remedy when it cannot listen */
export function listen(server: Server, address: ListenAddress, flag: string): Promise<void> {
  if ('path' in address) rmSync(address.path, { force: true });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(address, flag, error)));
    server.listen(address, () => {
      server.removeAllListeners('error');
      if ('path' in address) chmodSync(address.path, 0o660);
      resolve();
    });
  });
}

function cannotListen(address: ListenAddress, flag: string, error: unknown): UsageError {
  const place = describeAddress(address);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE')
    return new UsageError(`${place} is taken by another process; stop that one or choose another ${flag}`);
  if (code === 'EACCES') return new UsageError(`${place}: this user may not listen there; choose another ${flag}`);
  if (code === 'EADDRNOTAVAIL') return new UsageError(`${place}: this machine has no such address; choose another ${flag}`);
  return new UsageError(`${place}: cannot listen (${messageOf(error)}); choose another ${flag}`);
}

/** Checks that nobody listens on `address` by listening there for a moment. @throws UsageError as {@link listen} */
export async function checkFree(address: ListenAddress, flag: string): Promise<void> {
  const server = createServer();
  await listen(server, address, flag);
  await new Promise((resolve) => server.close(resolve));
}
