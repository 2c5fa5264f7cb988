import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { httpDoor } from '../../../../src/agent/door/http-door.js';
import { type Door, openDoor } from '../../../../src/agent/door/listen.js';
import { withDeadline } from '../../../../src/lib/async.js';
import { isDoor } from '../../../../src/lib/door-mark.js';
import { freePort } from '../../../support/ports.js';

let dir: string;
let envoy: Server;
let service: Server;
let door: Door;
let port: number;

/** Two plain servers stand for the two sides; each says who it is and echoes the body. */
const side = (name: string) =>
  createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    response.setHeader('x-side', name);
    response.setHeader('x-door', String(isDoor(incoming.socket)));
    response.end(Buffer.concat(chunks));
  });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weft-door-'));
  envoy = side('envoy').listen(join(dir, 'loop.sock'));
  service = side('service');
  port = await freePort();
  door = await openDoor({
    addresses: [{ host: '127.0.0.1', port }],
    flag: '--dapr-http-port',
    serve: httpDoor({
      server: service,
      loopback: join(dir, 'loop.sock'),
      pipeline: join(dir, 'door.sock'),
      side: () => 'either',
    }),
  });
});

afterEach(() => {
  door.close();
  envoy.closeAllConnections();
  envoy.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Sends raw bytes and reads until `count` responses have ended. */
async function raw(text: string, count = 1): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let seen = '';
  socket.on('data', (chunk) => {
    seen += chunk;
  });
  socket.write(text);
  while ((seen.match(/^HTTP\/1.1/gm) ?? []).length < count || !seen.includes('\r\n\r\n')) await once(socket, 'data');
  socket.destroy();
  return seen;
}

function call(path: string, body?: Buffer): Promise<{ readonly side: unknown; readonly door: unknown; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method: body ? 'POST' : 'GET', agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ side: response.headers['x-side'], door: response.headers['x-door'], body: Buffer.concat(chunks) });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

it('splices a call by name into Envoy and serves a block itself, marked as a door connection', async () => {
  expect((await call('/v1.0/invoke/orders/method/x')).side).toBe('envoy');
  const state = await call('/v1.0/state/store/key');
  expect([state.side, state.door]).toEqual(['service', 'true']);
});

it('serves a connection itself whose way into Envoy is given up before it is there', async () => {
  const serve = httpDoor({
    server: service,
    loopback: join(dir, 'loop.sock'),
    pipeline: join(dir, 'door.sock'),
    side: () => 'either',
  });
  port = await freePort();
  const own = await openDoor({
    addresses: [{ host: '127.0.0.1', port }],
    flag: '--dapr-http-port',
    // As doors.ts does when other rules come in force.
    serve: (client) => serve(client, (upstream) => upstream.destroy()),
  });
  const answer = await withDeadline(call('/v1.0/invoke/orders/method/x'), 3000, 'an answer').finally(own.close);
  expect([answer.side, answer.door]).toEqual(['service', 'true']);
});

it('decides by a request line that comes byte by byte', async () => {
  const socket = connect(port, '127.0.0.1');
  const answer = once(socket, 'data');
  for (const byte of 'GET /v1.0/state/a/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n') {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(String(await answer)).toContain('x-side: service');
  socket.destroy();
});

it('carries pipelined requests of one connection to the side that the first one chose', async () => {
  const two = 'GET /v1.0/state/a/b HTTP/1.1\r\nhost: x\r\n\r\nGET /v1.0/state/a/c HTTP/1.1\r\nhost: x\r\n\r\n';
  expect((await raw(two, 2)).match(/x-side: service/g)).toHaveLength(2);
  const mixed = 'GET /v1.0/invoke/a/method/b HTTP/1.1\r\nhost: x\r\n\r\nGET /v1.0/state/a/c HTTP/1.1\r\nhost: x\r\n\r\n';
  expect((await raw(mixed, 2)).match(/x-side: envoy/g)).toHaveLength(2);
});

it('keeps every byte of large bodies in both directions', async () => {
  const body = Buffer.alloc(8 * 1024 * 1024);
  for (let index = 0; index < body.length; index += 4) body.writeUInt32LE(index, index);
  for (const path of ['/v1.0/invoke/a/method/b', '/v1.0/state/a']) expect((await call(path, body)).body.equals(body)).toBe(true);
});

it('holds a fast Envoy back while the client does not read', async () => {
  envoy.close();
  const written: { bytes: number } = { bytes: 0 };
  const flood = createNetServer((socket: Socket) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const fill = () => {
      while (socket.write(chunk)) written.bytes += chunk.length;
      written.bytes += chunk.length;
    };
    socket.on('drain', fill).on('error', () => {});
    fill();
  });
  rmSync(join(dir, 'loop.sock'), { force: true });
  await new Promise<void>((resolve) => flood.listen(join(dir, 'loop.sock'), resolve));
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET /v1.0/invoke/a/method/b HTTP/1.1\r\nhost: x\r\n\r\n');
  let before = -1;
  while (before !== written.bytes) {
    before = written.bytes;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  expect(written.bytes).toBeLessThan(32 * 1024 * 1024);
  socket.resume();
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(written.bytes).toBeGreaterThan(before);
  socket.destroy();
  flood.close();
});

it('passes a half-close on, so that an answer to it still arrives', async () => {
  envoy.close();
  rmSync(join(dir, 'loop.sock'), { force: true });
  const late = createNetServer({ allowHalfOpen: true }, (socket) => {
    socket.resume();
    socket.on('end', () => socket.end('after the end'));
  });
  await new Promise<void>((resolve) => late.listen(join(dir, 'loop.sock'), resolve));
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('GET /v1.0/invoke/a/method/b HTTP/1.0\r\n\r\n');
  expect(String((await once(socket, 'data'))[0])).toBe('after the end');
  await once(socket, 'end');
  socket.destroy();
  late.close();
});

it('lets the filter service answer while Envoy cannot be reached', async () => {
  envoy.close();
  rmSync(join(dir, 'loop.sock'), { force: true });
  expect((await call('/v1.0/invoke/orders/method/x')).side).toBe('service');
});

it('ends every connection of both kinds when it closes', async () => {
  const sockets = ['/v1.0/invoke/a/method/b', '/v1.0/state/a/b'].map((path) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  const ends = sockets.map((socket) => once(socket, 'close'));
  door.close();
  await Promise.all(ends);
});

it('names address, flag and remedy when the port is taken', async () => {
  const taken = service.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = { host: '127.0.0.1', port: (taken.address() as AddressInfo).port };
  await expect(openDoor({ addresses: [address], flag: '--dapr-http-port', serve: () => {} })).rejects.toThrow(
    `127.0.0.1:${address.port} is taken by another process; stop that one or choose another --dapr-http-port`,
  );
  taken.close();
});
