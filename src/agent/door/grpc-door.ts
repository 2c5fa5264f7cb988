import type { Socket } from 'node:net';
import { EMPTY_SETTINGS, type FirstRequest, scanFirstRequest } from './h2-frames.js';
import { firstPath } from './h2-path.js';
import { splice } from './splice.js';

export interface GrpcDoorOptions {
  /** Takes over a connection whose first request is one of ours; what was read is back in the socket. */
  readonly inject: (client: Socket) => void;
  /** Unix socket of Envoy's loopback listener. */
  readonly loopback: string;
  /** False: everything goes through the gRPC server, which relays call by call. A log of all calls needs that, and a list of what may be called. */
  readonly splice: () => boolean;
}

/** Larger than the first flow-control window with its headers: more cannot come before a server speaks. */
const FIRST_REQUEST_MAX = 256 * 1024;
const OWN_SERVICES =
  /^\/(?:dapr\.proto\.runtime\.v1\.Dapr|grpc\.reflection\.v1(?:alpha)?\.ServerReflection|grpc\.health\.v1\.Health)\//;

/** @returns what serves one client connection of the service door's gRPC port */
export function grpcDoor(options: GrpcDoorOptions): (client: Socket, track: (socket: Socket) => void) => void {
  const own = (client: Socket, bytes: Buffer) => {
    if (bytes.length > 0) client.unshift(bytes);
    client.allowHalfOpen = false;
    options.inject(client);
  };
  return (client, track) => {
    if (!options.splice()) return own(client, Buffer.alloc(0));
    awaitFirstRequest(client, async (first) => {
      if (first.kind === 'other') return client.destroy();
      const path = await firstPath(first.bytes);
      if (client.destroyed) return;
      if (path === undefined || OWN_SERVICES.test(path)) return own(client, first.bytes);
      splice({
        client,
        path: options.loopback,
        head: first.bytes,
        onUnreachable: () => own(client, first.bytes),
        onUpstream: track,
      });
    });
  };
}

/** Waits without a limit of time: an idle gRPC connection is a healthy one, and its pings are answered meanwhile. */
function awaitFirstRequest(client: Socket, done: (first: FirstRequest) => void): void {
  const scanner = scanFirstRequest((pong) => client.write(pong));
  const end = () => client.destroy();
  const onData = (chunk: Buffer) => {
    const first = scanner.push(chunk);
    if (first === undefined && scanner.bytes().length <= FIRST_REQUEST_MAX) return;
    client.off('data', onData).off('end', end);
    client.pause();
    done(first ?? { kind: 'other', bytes: scanner.bytes() });
  };
  client.on('error', end).on('end', end).on('data', onData);
  client.write(EMPTY_SETTINGS);
}
