import { mkdirSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { isDoor } from '../lib/door-mark.js';
import type { Logger } from '../telemetry/logger.js';
import { grpcDoor } from './door/grpc-door.js';
import { relayUnknownMethods } from './door/grpc-relay.js';
import { httpDoor } from './door/http-door.js';
import { type Door, type ListenAddress, openDoor } from './door/listen.js';
import { hidden } from './envoy/call-log.js';
import type { FilterService } from './filter-service.js';
import { apiDoorOf, type SidecarOptions } from './options.js';
import type { RunDir } from './run-dir.js';

export interface DoorsDeps {
  readonly service: FilterService;
  readonly runDir: RunDir;
  readonly logger: Logger;
}

/**
 * Opens everything that Node listens on: the run directory's sockets for Envoy, and the API ports that are not Envoy's.
 * @throws UsageError when an address is taken
 */
export async function openDoors(options: SidecarOptions, { service, runDir, logger }: DoorsDeps): Promise<Door> {
  const { sockets } = runDir;
  await Promise.all([service.http.listen(sockets.api), service.grpc.listen(sockets.grpc)]);
  const { side } = service;
  const spliced = spliceTracker(service);
  // Both doors of one sidecar share one connection to Envoy for what grpc-js has to relay.
  const relay = new Client(`unix:${sockets.loop}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1000,
  });
  const logGrpc = (path: string) => {
    // What is no method of ours goes on to Envoy, which logs it when the Configuration asks.
    const wanted = options.apiLogging || (service.apiLog() !== undefined && path.startsWith('/dapr.proto.runtime.v1.Dapr/'));
    if (wanted) logger.info('gRPC API Called', { method: path });
  };
  relayUnknownMethods(service.doorGrpc.server, relay, logGrpc);
  if (options.apiLogging) logHttpCalls(service.http.server, logger);
  else followApiLog(service, logger);
  const http = await openDoor({
    addresses: addresses(options, options.httpPort, 'http'),
    flag: '--dapr-http-port',
    serve: spliced.track(
      httpDoor({ side: side.http, loopback: sockets.loop, pipeline: sockets.door, server: service.http.server }),
    ),
  });
  const grpc = await openDoor({
    addresses: addresses(options, options.grpcPort, 'grpc'),
    flag: '--dapr-grpc-port',
    serve: spliced.track(
      grpcDoor({ splice: () => side.grpc() === 'either', loopback: sockets.loop, inject: service.doorGrpc.inject }),
    ),
  }).catch((error: unknown) => {
    http.close();
    throw error;
  });
  return {
    refuse() {
      http.refuse();
      grpc.refuse();
    },
    close() {
      http.close();
      grpc.close();
      relay.close();
      spliced.close();
    },
  };
}

type Serve = Parameters<typeof openDoor>[0]['serve'];

/** Ends what was spliced into Envoy as soon as it must not go on there: what holds now would not hold for it. */
function spliceTracker({ side, onRoutingChange }: FilterService): { track(serve: Serve): Serve; close(): void } {
  const upstreams = new Set<Socket>();
  const now = () => `${side.http()} ${side.grpc()}`;
  let before = now();
  const close = onRoutingChange(() => {
    const sides = now();
    if (sides !== before && sides !== 'either either') for (const upstream of upstreams) upstream.destroy();
    before = sides;
  });
  const track =
    (serve: Serve): Serve =>
    (client, also) =>
      serve(client, (upstream) => {
        upstreams.add(upstream);
        upstream.once('close', () => upstreams.delete(upstream));
        also(upstream);
      });
  return { track, close };
}

/** `spec.logging.apiLogging`: here what this process answers to clients; Envoy logs what it routes (src/agent/envoy/call-log.ts). */
function followApiLog({ http, apiLog, onRoutingChange }: FilterService, logger: Logger): void {
  const log: RequestListener = ({ socket, method = '', url = '', headers }) => {
    const spec = apiLog();
    const path = url.replace(/\?.*$/s, '');
    // Calls by name go on to Envoy.
    if (!spec || !isDoor(socket) || path.startsWith('/v1.0/invoke/') || headers['dapr-app-id']) return;
    if (spec.omitHealthChecks && path.startsWith('/v1.0/healthz')) return;
    logger.info('HTTP API Called', { method: spec.obfuscateURLs ? hidden(method, path) : `${method} ${path}` });
  };
  let logs = false;
  const follow = () => {
    const wanted = apiLog() !== undefined;
    if (wanted === logs) return;
    logs = wanted;
    if (wanted) http.server.prependListener('request', log);
    else http.server.off('request', log);
  };
  follow();
  onRoutingChange(follow);
}

/** `--enable-api-logging`: one line a call, without the query, which may hold anything. */
function logHttpCalls(server: Server, logger: Logger): void {
  server.prependListener('request', ({ socket, method, url }) => {
    if (isDoor(socket)) logger.info('HTTP API Called', { method: `${method} ${url?.replace(/\?.*$/s, '')}` });
  });
}

function addresses(options: SidecarOptions, port: number, api: 'http' | 'grpc'): readonly ListenAddress[] {
  const { unixDomainSocket, listenAddresses, appId } = options;
  if (unixDomainSocket) {
    mkdirSync(unixDomainSocket, { recursive: true });
    return [{ path: join(unixDomainSocket, `dapr-${appId}-${api}.socket`) }];
  }
  // Envoy takes the first address of its door; the API is the same on every one.
  const own = apiDoorOf(options) === 'envoy' ? listenAddresses.slice(1) : listenAddresses;
  return own.map((host) => ({ host, port }));
}
