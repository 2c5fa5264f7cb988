import type { Duplex } from 'node:stream';

const MARK = Symbol('weft.door');

/** Marks a connection that a client opened on an API port that Node itself listens on. */
export function markDoor<T extends Duplex>(socket: T): T {
  Object.defineProperty(socket, MARK, { value: true });
  return socket;
}

/**
 * False: the request came through Envoy (over the run directory's socket), so our own `x-weft-*` headers are true and what is no
 * API route has no target. True: those headers are the client's invention, and calls by name are still to be relayed to Envoy.
 */
export function isDoor(socket: object): boolean {
  return MARK in socket;
}
