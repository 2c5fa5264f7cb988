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

export interface TransportEvents {
  resumed(): void;
  /** The client is too slow; the stream is cut already. */
  cut(reason: string): void;
}

/** @returns a transport that writes encoded messages to `call`, never waits for it, and cuts it when it does not keep up */
export function createTransport<In, Out>(
  call: ServerDuplexStream<In, Out>,
  encode: (push: Push) => { readonly message: Out; readonly bytes: number },
  limits: SlowClientLimits,
  events: TransportEvents,
): StreamTransport & { close(): void } {
  let buffered = 0;
  let full = false;
  let timer: NodeJS.Timeout | undefined;

  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
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
    ready: () => !full,
    send(push) {
      const { message, bytes } = encode(push);
      buffered += bytes;
      full = !call.write(message, () => {
        buffered -= bytes;
        stop();
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
