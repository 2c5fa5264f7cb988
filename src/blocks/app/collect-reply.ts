import type { Dispatcher } from 'undici';
import type { HttpReply } from './channel.js';

export interface CollectOptions {
  readonly maxBodyBytes: number;
  readonly signal?: AbortSignal;
}

/**
 * Sends one request and reads its whole reply with a handler of our own: undici's `request` makes a stream of every body, and reading that
 * stream costs a third more CPU. This is the path of every delivered event and every actor turn.
 */
export function collectReply(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { maxBodyBytes, signal }: CollectOptions,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let headers: HttpReply['headers'] = {};
    let size = 0;
    const chunks: Buffer[] = [];
    const abort = () => {
      // Still waiting for a connection: undici hears of it in onRequestStart.
      controller?.abort(signal?.reason);
      settle(() => reject(signal?.reason));
    };
    const settle = (how: () => void) => {
      signal?.removeEventListener('abort', abort);
      how();
    };
    signal?.addEventListener('abort', abort, { once: true });
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        if (signal?.aborted) started.abort(signal.reason);
      },
      onResponseStart(_, statusCode, replyHeaders) {
        // An interim reply (1xx) comes first and is followed by the real one.
        status = statusCode;
        headers = replyHeaders as HttpReply['headers'];
      },
      onResponseData(started, chunk) {
        size += chunk.length;
        // Checked while reading, so that a huge reply never stands in memory whole.
        if (size > maxBodyBytes) started.abort(new Error(`reply is larger than ${maxBodyBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
        settle(() => resolve({ status, headers, body }));
      },
      onResponseError(_, error) {
        settle(() => reject(error));
      },
    });
  });
}
