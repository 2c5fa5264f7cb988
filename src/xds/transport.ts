import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Push } from './encode.js';
import type { StreamTransport } from './stream.js';

/** What a slow client may cost before it is cut off. */
export interface SlowClientLimits {
  /** Longest time in milliseconds that one response may take to leave. */
  readonly maxStallMs: number;
  /** Most bytes of responses that may wait to leave. */
  readonly maxBufferedBytes: number;
}

/** Keeps large responses to many clients from waiting in memory all at once. */
export interface Pacer {
  saturated(): boolean;
  /** Takes a place for one response. @returns gives it back */
  take(): () => void;
  /** Calls `resume` when a place is free, in order. @returns stop waiting */
  wait(resume: () => void): () => void;
}

/**
 * @param places how many large responses may be on their way
 * @param holdMs for how long one may hold its place: a client that does not read must not hold up the others
 */
export function createPacer(places: number, holdMs: number): Pacer {
  const waiting = new Set<() => void>();
  let taken = 0;
  const wake = () => {
    for (const resume of waiting) {
      if (taken >= places) return;
      waiting.delete(resume);
      resume();
    }
  };
  return {
    saturated: () => taken >= places,
    take() {
      let held = true;
      taken += 1;
      const release = () => {
        clearTimeout(timer);
        if (!held) return;
        held = false;
        taken -= 1;
        // Not from inside the write that has just freed the place: its stream may have more to send first.
        setImmediate(wake);
      };
      const timer = setTimeout(release, holdMs).unref();
      return release;
    },
    wait(resume) {
      waiting.add(resume);
      return () => waiting.delete(resume);
    },
  };
}

const LARGE_BYTES = 32 * 1024;

export interface TransportEvents {
  resumed(): void;
  /** The client is too slow; the stream is cut already. */
  cut(reason: string): void;
}

/** @returns a transport that writes encoded messages to `call`, never waits for it, and cuts it when it does not keep up */
export function createTransport<In, Out>(
  call: ServerDuplexStream<In, Out>,
  encode: (push: Push) => { readonly message: Out; readonly bytes: number },
  { limits, pacer }: { readonly limits: SlowClientLimits; readonly pacer: Pacer },
  events: TransportEvents,
): StreamTransport & { close(): void } {
  let buffered = 0;
  let full = false;
  let timer: NodeJS.Timeout | undefined;
  let stopWaiting: (() => void) | undefined;

  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
    stopWaiting?.();
    stopWaiting = undefined;
  };
  const awaitTurn = () => {
    stopWaiting ??= pacer.wait(() => {
      stopWaiting = undefined;
      events.resumed();
    });
  };
  const cut = (reason: string) => {
    stop();
    reset(call);
    events.cut(reason);
  };
  const watch = () => {
    timer ??= setTimeout(() => cut(`a response did not leave within ${limits.maxStallMs} ms`), limits.maxStallMs).unref();
  };
  call.on('drain', () => {
    full = false;
    events.resumed();
  });

  return {
    ready() {
      if (full) return false;
      if (!pacer.saturated()) return true;
      awaitTurn();
      return false;
    },
    send(push) {
      const { message, bytes } = encode(push);
      const release = bytes > LARGE_BYTES ? pacer.take() : undefined;
      buffered += bytes;
      full = !call.write(message, () => {
        buffered -= bytes;
        release?.();
        clearTimeout(timer);
        timer = undefined;
        if (buffered > 0) watch();
      });
      if (buffered > limits.maxBufferedBytes) cut(`${buffered} bytes of responses wait to leave`);
      else if (buffered > 0) watch();
    },
    close: stop,
  };
}

/**
 * Ends a stream whose client does not read. A status would wait behind the responses that the client does not take, and grpc-js has no
 * public way to reset a stream, hence the look inside; without the stream at hand the status has to do.
 */
function reset<In, Out>(call: ServerDuplexStream<In, Out>): void {
  const inner = (call as unknown as { call?: { stream?: { close(code: number): void; destroy(): void } } }).call?.stream;
  const CANCEL = 8;
  inner?.close(CANCEL);
  inner?.destroy();
  call.destroy();
}
