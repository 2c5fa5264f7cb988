import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { markDoor } from '../../lib/door-mark.js';
import { firstBytes } from './first-bytes.js';
import { sniffHttp } from './http-sniff.js';
import type { DoorSide } from './sides.js';
import { splice } from './splice.js';

export interface HttpDoorOptions {
  /** The filter service's HTTP server: takes over connections whose first request is its own. */
  readonly server: HttpServer;
  /** Unix socket of Envoy's loopback listener. */
  readonly loopback: string;
  /** Unix socket of Envoy's listener with the HTTP pipeline. */
  readonly pipeline: string;
  /** `node`: every request goes through the HTTP server, which relays one by one. A log of all calls needs that, and a list of what may be called. */
  readonly side: () => DoorSide;
}

const FIRST_BYTES_MS = 30_000;
const FIRST_BYTES_MAX = 32 * 1024;

/** @returns what serves one client connection of the service door's HTTP port; the upstream socket of a spliced one goes to `track` */
export function httpDoor(options: HttpDoorOptions): (client: Socket, track: (socket: Socket) => void) => void {
  const serve = (client: Socket, head: Buffer) => {
    if (head.length > 0) client.unshift(head);
    // As net.Server would have handed it over: the HTTP parser takes the handle, and later bytes never pass JavaScript streams.
    options.server.emit('connection', markDoor(client));
    client.resume();
  };
  return (client, track) => {
    const side = options.side();
    const nothing = Buffer.alloc(0);
    if (side === 'node') return serve(client, nothing);
    if (side === 'pipeline') {
      const { pipeline: path } = options;
      return splice({ client, path, head: nothing, onUnreachable: () => serve(client, nothing), onUpstream: track });
    }
    firstBytes(client, {
      decide: sniffHttp,
      timeoutMs: FIRST_BYTES_MS,
      maxBytes: FIRST_BYTES_MAX,
      done(side, head) {
        if (side !== 'envoy') return serve(client, head);
        splice({
          client,
          path: options.loopback,
          head,
          onUnreachable: () => serve(client, head),
          onUpstream: track,
        });
      },
    });
  };
}
