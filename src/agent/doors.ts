import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { isDoor } from '../lib/door-mark.js';
import type { Logger } from '../telemetry/logger.js';
import { grpcDoor } from './door/grpc-door.js';
import { relayUnknownMethods } from './door/grpc-relay.js';
import { httpDoor } from './door/http-door.js';
import { type Door, type ListenAddress, openDoor } from './door/listen.js';
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
  const logGrpc = (path: string) => logger.info('gRPC API Called', { method: path });
  relayUnknownMethods(service.doorGrpc.server, relay, options.apiLogging ? logGrpc : undefined);
  if (options.apiLogging) logHttpCalls(service.http.server, logger);
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
