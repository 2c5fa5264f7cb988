import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { grpcDoor } from './door/grpc-door.js';
import { relayUnknownMethods } from './door/grpc-relay.js';
import { httpDoor } from './door/http-door.js';
import { type Door, type ListenAddress, openDoor } from './door/listen.js';
import type { FilterService } from './filter-service.js';
import { apiDoorOf, type SidecarOptions } from './options.js';
import type { RunDir } from './run-dir.js';

/**
 * Opens everything that Node listens on: the run directory's sockets for Envoy, and the API ports that are not Envoy's.
 * @throws UsageError when an address is taken
 */
export async function openDoors(options: SidecarOptions, service: FilterService, { sockets }: RunDir): Promise<Door> {
  await Promise.all([service.http.listen(sockets.api), service.grpc.listen(sockets.grpc)]);
  const shared = { loopback: sockets.loop, splice: !options.apiToken };
  // Both doors of one sidecar share one connection to Envoy for what grpc-js has to relay.
  const relay = new Client(`unix:${sockets.loop}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1000,
  });
  relayUnknownMethods(service.doorGrpc.server, relay);
  const http = await openDoor({
    addresses: addresses(options, options.httpPort, 'http'),
    flag: '--dapr-http-port',
    serve: httpDoor({ ...shared, server: service.http.server }),
  });
  const grpc = await openDoor({
    addresses: addresses(options, options.grpcPort, 'grpc'),
    flag: '--dapr-grpc-port',
    serve: grpcDoor({ ...shared, inject: service.doorGrpc.inject }),
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
    },
  };
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
