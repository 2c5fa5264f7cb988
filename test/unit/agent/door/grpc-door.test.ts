import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { grpcDoor } from '../../../../src/agent/door/grpc-door.js';
import { relayUnknownMethods } from '../../../../src/agent/door/grpc-relay.js';
import { EMPTY_SETTINGS, H2_PREFACE, scanFirstRequest } from '../../../../src/agent/door/h2-frames.js';
import { type Door, openDoor } from '../../../../src/agent/door/listen.js';
import { freePort } from '../../../support/ports.js';

const OWN = '/dapr.proto.runtime.v1.Dapr/GetState';
const FOREIGN = '/shop.v1.Orders/Place';
const same = (bytes: Buffer): Buffer => bytes;

let dir: string;
let envoy: Server;
let service: Server;
let loop: Client;
let door: Door;
let port: number;
let clients: Client[];

/** A server of bytes: every message comes back with the server's name in front. */
function named(name: string, paths: readonly string[]): Server {
  const server = new Server();
  for (const path of paths) {
    server.register(
      path,
      (call: import('@grpc/grpc-js').ServerDuplexStream<Buffer, Buffer>) => {
        const told = new Metadata();
        told.set('x-told', String(call.metadata.get('x-tell')[0] ?? ''));
        call.sendMetadata(told);
        call.on('data', (message: Buffer) => {
          if (message.toString() === 'fail')
            call.emit('error', { code: status.ALREADY_EXISTS, details: 'no more', metadata: told });
          else call.write(Buffer.concat([Buffer.from(`${name}:`), message]));
        });
        call.on('end', () => call.end(told));
      },
      same,
      same,
      'bidi',
    );
  }
  return server;
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weft-door-'));
  clients = [];
  envoy = named('envoy', [OWN, FOREIGN]);
  const unix = `unix:${join(dir, 'loop.sock')}`;
  await new Promise((resolve) => envoy.bindAsync(unix, ServerCredentials.createInsecure(), resolve));
  service = named('service', [OWN]);
  loop = new Client(unix, credentials.createInsecure());
  relayUnknownMethods(service, loop);
  const injector = service.createConnectionInjector(ServerCredentials.createInsecure());
  port = await freePort();
  door = await openDoor({
    addresses: [{ host: '127.0.0.1', port }],
    flag: '--dapr-grpc-port',
    serve: grpcDoor({
      inject: (socket) => injector.injectConnection(socket),
      loopback: join(dir, 'loop.sock'),
      splice: () => true,
    }),
  });
});

afterEach(() => {
  for (const client of [...clients, loop]) client.close();
  door.close();
  envoy.forceShutdown();
  service.forceShutdown();
  rmSync(dir, { recursive: true, force: true });
});

function newClient(): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  return client;
}

function unary(client: Client, path: string, message: string): Promise<string> {
  const metadata = new Metadata();
  metadata.set('x-tell', 'hi');
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(path, same, same, Buffer.from(message), metadata, { deadline: Date.now() + 5000 }, (error, value) =>
      error ? reject(error) : resolve(String(value)),
    ),
  );
}

it('splices a connection whose first call is for an app, and serves one whose first call is for Dapr', async () => {
  expect(await unary(newClient(), FOREIGN, 'a')).toBe('envoy:a');
  expect(await unary(newClient(), OWN, 'a')).toBe('service:a');
});

it('keeps mixed calls on one connection right, whichever came first', async () => {
  const first = newClient();
  expect([await unary(first, OWN, '1'), await unary(first, FOREIGN, '2'), await unary(first, OWN, '3')]).toEqual([
    'service:1',
    'envoy:2',
    'service:3',
  ]);
  const second = newClient();
  expect([await unary(second, FOREIGN, '1'), await unary(second, OWN, '2')]).toEqual(['envoy:1', 'envoy:2']);
});

it('serves many calls and connections at once', async () => {
  const many = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const path = index % 2 ? OWN : FOREIGN;
      const client = newClient();
      return Promise.all(Array.from({ length: 10 }, (_, call) => unary(client, path, String(call))));
    }),
  );
  expect(many.flat()).toHaveLength(200);
});

it('relays streams, headers, trailers and error statuses of calls that grpc-js received', async () => {
  const client = newClient();
  await unary(client, OWN, 'first');
  const metadata = new Metadata();
  metadata.set('x-tell', 'told');
  const call = client.makeBidiStreamRequest(FOREIGN, same, same, metadata);
  const headers = once(call, 'metadata');
  const seen: string[] = [];
  call.on('data', (message: Buffer) => {
    seen.push(String(message));
    if (seen.length === 2) call.end();
  });
  call.write(Buffer.from('a'));
  call.write(Buffer.from('b'));
  expect(((await headers)[0] as Metadata).get('x-told')).toEqual(['told']);
  const [end] = await once(call, 'status');
  expect([seen, end.code, end.metadata.get('x-told')]).toEqual([['envoy:a', 'envoy:b'], status.OK, ['told']]);
  await expect(unary(client, FOREIGN, 'fail')).rejects.toMatchObject({ code: status.ALREADY_EXISTS, details: 'no more' });
});

it('answers an unknown method of Dapr itself as unimplemented', async () => {
  await expect(unary(newClient(), '/dapr.proto.runtime.v1.Dapr/Nothing', 'a')).rejects.toMatchObject({
    code: status.UNIMPLEMENTED,
  });
});

it('carries a large message through the first flow-control window of a spliced and of a served connection', async () => {
  const large = 'x'.repeat(3_000_000);
  expect(await unary(newClient(), FOREIGN, large)).toBe(`envoy:${large}`);
  expect(await unary(newClient(), OWN, large)).toBe(`service:${large}`);
});

it.each([FOREIGN, OWN])('serves a client that sends everything before it has heard the server: %s', async (path) => {
  // Node's HTTP/2 client requests at once, as grpc-go does not but others may.
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  stream.end(Buffer.from([0, 0, 0, 0, 1, 0x61]));
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(200);
  stream.resume();
  await once(stream, 'trailers');
  session.close();
});

it('answers pings of a connection that has not called yet', async () => {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  await once(session, 'remoteSettings');
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
  const stream = session.request({ ':method': 'POST', ':path': FOREIGN, 'content-type': 'application/grpc', te: 'trailers' });
  stream.end();
  await once(stream, 'response');
  session.destroy();
});

it('closes a connection that does not speak HTTP/2', async () => {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
});

it('finds the header block across any split of the bytes and takes out only the first acknowledgement', () => {
  const ack = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]);
  const headers = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);
  const continuation = Buffer.from([0, 0, 1, 9, 4, 0, 0, 0, 1, 0x86]);
  const all = Buffer.concat([H2_PREFACE, EMPTY_SETTINGS, ack, headers, continuation]);
  for (const size of [1, 2, 7, 1000]) {
    const scanner = scanFirstRequest(() => {});
    let found: ReturnType<typeof scanner.push>;
    for (let at = 0; at < all.length; at += size) found = scanner.push(all.subarray(at, at + size)) ?? found;
    expect(found).toEqual({ kind: 'request', bytes: Buffer.concat([H2_PREFACE, EMPTY_SETTINGS, headers, continuation]) });
  }
});
