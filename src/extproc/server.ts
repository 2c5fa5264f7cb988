import { chmodSync, rmSync } from 'node:fs';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { MiddlewareModule } from '../blocks/middleware/middleware-module.js';
import { messageOf } from '../errors.js';
import {
  ExternalProcessorService,
  type ProcessingRequest,
  type ProcessingResponse,
} from '../gen/envoy/service/ext_proc/v3/external_processor.js';
import { HEADERS } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { createExchange } from './exchange.js';

export interface ExtProcOptions {
  /** Unix socket, for this sidecar's own Envoy. */
  readonly socket: string;
  /** @returns the module of a component that is in force */
  readonly moduleOf: (name: string) => MiddlewareModule | undefined;
  readonly logger: Logger;
}

/** The largest body that Envoy holds back for a module, and some room for its headers. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_STREAMS = 10_000;
/** A module that always fails must not fill the log. */
const LOG_EVERY_MS = 1000;

type Stream = ServerDuplexStream<ProcessingRequest, ProcessingResponse>;

/**
 * Envoy's external processor: one stream a call and middleware. Whatever goes wrong ends the stream with an error, and what that means
 * for the call is Envoy's to say, by the middleware's `failOpen`. @throws Error when the socket cannot be opened
 */
export async function startExtProcServer(options: ExtProcOptions): Promise<{ close(): void }> {
  const { socket } = options;
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
  });
  const serve = streamServer(options);
  server.addService(ExternalProcessorService, { process: serve } as never);
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
  chmodSync(socket, 0o600);
  return { close: () => server.forceShutdown() };
}

function streamServer({ moduleOf, logger }: ExtProcOptions): (call: Stream) => void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  const report = (middleware: string, error: unknown) => {
    const now = performance.now();
    if (now - loggedAt < LOG_EVERY_MS) return;
    loggedAt = now;
    logger.error('a middleware failed', {
      middleware,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  };
  return (call) => {
    const name = String(call.metadata.get(HEADERS.middleware)[0] ?? '');
    const module = moduleOf(name);
    // As grpc-js has it: an error that is emitted goes out as the status of the call.
    const fail = (code: status, details: string) => void call.emit('error', { code, details });
    // Envoy resets a stream that it needs no longer: a call that was answered, or whose client has gone.
    call.on('error', () => {});
    if (!module) return fail(status.NOT_FOUND, `there is no middleware ${name}`);
    const exchange = createExchange(module);
    call.on('data', (message: ProcessingRequest) => {
      // One at a time: nothing piles up behind a slow handler.
      call.pause();
      exchange.next(message).then(
        (answer) => {
          if (call.cancelled) return;
          call.write(answer);
          call.resume();
        },
        (error: unknown) => {
          report(name, error);
          if (!call.cancelled) fail(status.INTERNAL, messageOf(error));
        },
      );
    });
    call.on('end', () => call.end());
  };
}
