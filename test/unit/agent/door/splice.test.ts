import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { splice } from '../../../../src/agent/door/splice.js';

let dir: string;
let path: string;
let door: Server;
let envoy: Server;
let sockets: Set<Socket>;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weft-splice-'));
  path = join(dir, 'loop.sock');
  sockets = new Set();
  door = createServer({ allowHalfOpen: true });
  envoy = createServer({ allowHalfOpen: true });
  for (const server of [door, envoy]) server.on('connection', (socket) => kept(socket));
  await Promise.all([once(door.listen(0, '127.0.0.1'), 'listening'), once(envoy.listen(path), 'listening')]);
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  door.close();
  envoy.close();
  rmSync(dir, { recursive: true, force: true });
});

const kept = (socket: Socket) => {
  sockets.add(socket.on('error', () => {}));
  return socket;
};
const dial = () => kept(connect({ port: (door.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }));
const tie = (client: Socket, head = Buffer.alloc(0)) =>
  splice({ client, path, head, onUnreachable: () => client.destroy(), onUpstream: kept });

/** @returns the three ends of a connection that is spliced: the caller's, the door's, Envoy's */
async function spliced(): Promise<readonly [Socket, Socket, Socket]> {
  const accepted = once(door, 'connection');
  const arrived = once(envoy, 'connection');
  const caller = dial();
  const [client] = await accepted;
  tie(client);
  const [far] = await arrived;
  return [caller, client, far];
}

/** Reads to the end and leaves the socket's other direction open. */
async function read(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'end');
  return Buffer.concat(parts);
}

/** Every four bytes tell their place. */
function numbered(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let index = 0; index < size; index += 4) bytes.writeUInt32LE(index, index);
  return bytes;
}

it('sends on what came before Envoy was reached, in its order, and the end of it', async () => {
  const accepted = once(door, 'connection');
  const arrived = once(envoy, 'connection');
  const caller = dial();
  const [client] = (await accepted) as [Socket];
  caller.end('after the head;');
  // Read by the socket already, and not yet by anybody.
  while (client.readableLength === 0) await new Promise((resolve) => setImmediate(resolve));
  tie(client, Buffer.from('head;'));
  const [far] = (await arrived) as [Socket];
  expect(String(await read(far))).toBe('head;after the head;');
  far.end('answer');
  expect(String(await read(caller))).toBe('answer');
  if (!client.closed) await once(client, 'close');
});

it.each(['caller', 'Envoy'])('holds the other side back while %s does not read, and loses nothing', async (slow) => {
  const [caller, , far] = await spliced();
  const [from, to] = slow === 'caller' ? [far, caller] : [caller, far];
  to.pause();
  const bytes = numbered(32 * 1024 * 1024);
  from.end(bytes);
  let before = -1;
  while (before !== from.bytesWritten - from.writableLength) {
    before = from.bytesWritten - from.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  expect(from.writableLength).toBeGreaterThan(0);
  const all = read(to);
  to.resume();
  expect((await all).equals(bytes)).toBe(true);
});

it('ends the connection to Envoy when the caller resets its own', async () => {
  const [caller, client, far] = await spliced();
  caller.write('x');
  await once(far, 'data');
  const ends = [once(far, 'close'), once(client, 'close')];
  far.resume();
  caller.resetAndDestroy();
  far.on('end', () => far.end());
  await Promise.all(ends);
});

it('ends both sides when the socket that the door knows is destroyed', async () => {
  const [caller, client, far] = await spliced();
  caller.write('x');
  await once(far, 'data');
  const ends = [once(caller, 'end'), once(far, 'end')];
  caller.resume();
  client.destroy();
  await Promise.all(ends);
});

it('waits for no caller that does not read when that socket is destroyed', async () => {
  const open = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
  const [caller, client, far] = await spliced();
  caller.pause();
  far.write(Buffer.alloc(32 * 1024 * 1024));
  let before = -1;
  while (before !== far.writableLength || far.bytesWritten === 0) {
    before = far.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const sockets = open();
  client.destroy();
  while (open() === sockets) await new Promise((resolve) => setImmediate(resolve));
});

it('counts a spliced connection as open until it ends', async () => {
  const count = () => new Promise<number>((resolve) => door.getConnections((_error, connections) => resolve(connections)));
  const [caller, client, far] = await spliced();
  caller.write('x');
  await once(far, 'data');
  expect(await count()).toBe(1);
  caller.end();
  far.end();
  await once(client, 'close');
  expect(await count()).toBe(0);
});
