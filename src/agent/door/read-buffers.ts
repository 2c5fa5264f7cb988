import type { Socket } from 'node:net';

const BYTES = 64 * 1024;
/** What stays for the next connections: a megabyte. */
const MAX_FREE = 16;

const free: Buffer[] = [];

/** @returns a buffer for the reads of one connection */
export const takeReadBuffer = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(BYTES);

/**
 * Gives `buffer` to later connections when all `users` are closed: no write holds a part of it then. A new buffer for each connection made
 * V8 collect the whole heap after two hundred short ones, and every stream waits for that.
 */
export function giveBackWhenClosed(buffer: Buffer, users: readonly Socket[]): void {
  let open = 0;
  const closed = () => {
    open -= 1;
    if (open === 0 && free.length < MAX_FREE) free.push(buffer);
  };
  for (const user of users) {
    if (user.closed) continue;
    open += 1;
    user.once('close', closed);
  }
}
