import type { Duplex } from 'node:stream';
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { AppError } from '../../errors.js';
import { DaprService } from '../../gen/dapr/proto/runtime/v1/dapr.js';
import { sameSecret } from '../../lib/same-secret.js';
import type { ApiBlock } from '../../model/access/api-rules.js';
import type { Logger } from '../../telemetry/logger.js';
import { type CallError, toCallError, unauthorized } from './errors.js';
import { groupOf } from './groups.js';
import type { DaprMethods } from './methods.js';
import type { MessageSizes, ObserveGrpc } from './observe.js';
import { createInjector } from './worn-connections.js';

export interface GrpcServerOptions {
  /** Each block's share; the first that has a method serves it. */
  readonly methods: readonly DaprMethods[];
  /** Clients must send it as metadata `dapr-api-token`; undefined: no check. */
  readonly apiToken?: string | undefined;
  /** Largest request message, bytes (`--max-body-size`). */
  readonly maxBodyBytes: number;
  /** What counts and traces each call. */
  readonly observe?: ObserveGrpc | undefined;
  /** What counts the sizes of messages; asked for each unary method once. */
  readonly sizes?: ((path: string) => MessageSizes) | undefined;
  /** Whether a part of the API must not be served now; asked for every call. Default: never. */
  readonly blocked?: ApiBlock | undefined;
  /** False: nothing but health and metadata may be served yet. Default: always true. */
  readonly configured?: () => boolean;
  readonly logger: Logger;
}

export interface ApiGrpcServer {
  readonly server: Server;
  /** @param where a Unix socket path, or `host:port` @throws Error when it is taken */
  listen(where: string): Promise<void>;
  /** Serves a connection that someone else accepted; nothing may have been read from it that is not unshifted again. */
  inject(connection: Duplex): void;
  /** Takes no new call, lets those under way end for at most `deadlineMs`, then cuts them. Idempotent. */
  close(deadlineMs?: number): Promise<void>;
}

const TOKEN = 'dapr-api-token';

/** @returns the gRPC API server; it listens nowhere yet */
export function createGrpcServer(options: GrpcServerOptions): ApiGrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    // One Envoy or SDK keeps one connection for everything.
    'grpc.max_concurrent_streams': 10_000,
  });
  server.addService(measured(options.sizes), implementation(options));
  const injector = createInjector(server);
  let closing: Promise<void> | undefined;
  return {
    server,
    listen: (where) =>
      new Promise((resolve, reject) => {
        const address = where.startsWith('/') ? `unix:${where}` : where;
        server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
      }),
    inject: (connection) => injector.injectConnection(connection),
    close(deadlineMs = 5000) {
      closing ??= shutDown(server, deadlineMs).finally(() => injector.destroy());
      return closing;
    },
  };
}

/** @returns the service's methods, unary ones with the sizes of their messages told: they are known only where bytes become messages */
function measured(sizes: GrpcServerOptions['sizes']): ServiceDefinition {
  if (!sizes) return DaprService;
  return Object.fromEntries(
    Object.entries(DaprService as ServiceDefinition).map(([name, definition]) => {
      if (definition.requestStream || definition.responseStream) return [name, definition];
      const { received, sent } = sizes(definition.path);
      const requestDeserialize = (bytes: Buffer) => {
        received(bytes.length);
        return definition.requestDeserialize(bytes);
      };
      const responseSerialize = (value: unknown) => {
        const bytes = definition.responseSerialize(value);
        sent(bytes.length);
        return bytes;
      };
      return [name, { ...definition, requestDeserialize, responseSerialize }];
    }),
  );
}

function implementation(options: GrpcServerOptions): Record<string, UntypedHandleCall> {
  const allowed = tokenCheck(options.apiToken);
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const [name, definition] of Object.entries(DaprService)) {
    const handler = options.methods.find((part) => part[name] !== undefined)?.[name];
    const streams = definition.requestStream || definition.responseStream;
    const refuse = refusal(definition.path, allowed, options);
    const plain = streams ? streaming(handler, refuse, options.logger) : single(handler, refuse, options.logger);
    handlers[name] = options.observe?.(name, plain, streams) ?? plain;
  }
  return handlers;
}

type TokenCheck = (metadata: Metadata) => boolean;

function tokenCheck(token: string | undefined): TokenCheck {
  if (!token) {
    return (metadata) => {
      // Never to an app or another sidecar, also while the check is off (reference §10).
      metadata.remove(TOKEN);
      return true;
    };
  }
  const expected = Buffer.from(token);
  return (metadata) => {
    const [sent] = metadata.get(TOKEN);
    metadata.remove(TOKEN);
    if (typeof sent !== 'string') return false;
    return sameSecret(Buffer.from(sent), expected);
  };
}

/** @returns why a call must not be served */
type Refusal = (metadata: Metadata) => Partial<CallError> | undefined;

const NOT_CONFIGURED = { code: status.UNAVAILABLE, details: new AppError('notConfigured').message };
const NOT_AVAILABLE = { code: status.UNIMPLEMENTED, details: 'requested endpoint is not available' };

function refusal(path: string, allowed: TokenCheck, { blocked, configured }: GrpcServerOptions): Refusal {
  const check: Refusal = (metadata) => (allowed(metadata) ? undefined : unauthorized());
  const { group, version } = groupOf(path.slice(path.lastIndexOf('/') + 1));
  const waits = group === 'metadata' ? undefined : configured;
  if (!blocked && !waits) return check;
  return (metadata) =>
    check(metadata) ??
    (waits?.() === false ? NOT_CONFIGURED : undefined) ??
    (blocked?.(group, version) ? NOT_AVAILABLE : undefined);
}

const UNIMPLEMENTED = { code: status.UNIMPLEMENTED, details: 'this API is not implemented' };

function single(handler: UntypedHandleCall | undefined, refuse: Refusal, logger: Logger): handleUnaryCall<unknown, unknown> {
  const handle = handler as handleUnaryCall<unknown, unknown> | undefined;
  return (call, callback) => {
    const refused = refuse(call.metadata);
    if (refused) return callback(refused);
    if (handle === undefined) return callback(UNIMPLEMENTED);
    handle(call, (error, value, trailer, flags) => {
      if (error) callback(toCallError(error, logger));
      else callback(null, value, trailer, flags);
    });
  };
}

/** Streaming handlers report errors by `call.emit('error', …)`; they make statuses by `toCallError`. */
function streaming(
  handler: UntypedHandleCall | undefined,
  refuse: Refusal,
  logger: Logger,
): handleBidiStreamingCall<unknown, unknown> {
  const handle = handler as handleBidiStreamingCall<unknown, unknown> | undefined;
  return (call) => {
    const refused = refuse(call.metadata);
    if (refused) return void call.emit('error', refused);
    if (handle === undefined) return void call.emit('error', UNIMPLEMENTED);
    try {
      handle(call);
    } catch (error) {
      call.emit('error', toCallError(error, logger));
    }
  };
}

function shutDown(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
