import type { Socket } from 'node:net';

export interface FirstBytesOptions<T> {
  /** Looks at all bytes so far. @returns undefined: wait for more */
  readonly decide: (head: Buffer) => T | undefined;
  /** Called once, with reading stopped and every listener of ours gone. `decision` is undefined when `timeoutMs` passed first. */
  readonly done: (decision: T | undefined, head: Buffer) => void;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Reads a fresh connection until `decide` knows, the time is up or `maxBytes` have come. A connection that ends first is closed. */
export function firstBytes<T>(socket: Socket, options: FirstBytesOptions<T>): void {
  let head: Buffer = Buffer.alloc(0);
  const settle = (decision: T | undefined) => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', onEnd);
    socket.pause();
    options.done(decision, head);
  };
  const onData = (chunk: Buffer) => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const decision = options.decide(head);
    if (decision !== undefined || head.length > options.maxBytes) settle(decision);
  };
  const onEnd = () => {
    clearTimeout(timer);
    socket.destroy();
  };
  const timer = setTimeout(() => settle(undefined), options.timeoutMs);
  timer.unref();
  socket.on('data', onData).on('end', onEnd).on('error', onEnd).on('close', onEnd);
}
