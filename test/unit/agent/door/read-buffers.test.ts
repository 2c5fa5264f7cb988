import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { giveBackWhenClosed, takeReadBuffer } from '../../../../src/agent/door/read-buffers.js';

let pair: readonly [Socket, Socket];
let close: () => void;
beforeEach(async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as import('node:net').AddressInfo;
  const near = connect(port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  pair = [near, far];
  close = () => {
    near.destroy();
    far.destroy();
    server.close();
  };
});
afterEach(() => close());

const closed = async (socket: Socket) => {
  const end = once(socket, 'close');
  socket.destroy();
  await end;
};

it('a buffer is given to another connection when both its sockets are closed, and not before', async () => {
  const [near, far] = pair;
  far.allowHalfOpen = true;
  far.resume();
  const buffer = takeReadBuffer();
  giveBackWhenClosed(buffer, pair);
  await closed(near);
  const meanwhile = [takeReadBuffer(), takeReadBuffer()];
  expect(meanwhile).not.toContain(buffer);
  if (!far.closed) await closed(far);
  expect(takeReadBuffer()).toBe(buffer);
  expect(takeReadBuffer()).not.toBe(buffer);
});

it('of a thousand connections that end, only sixteen buffers are kept', async () => {
  const buffers = Array.from({ length: 1000 }, takeReadBuffer);
  for (const socket of pair) socket.setMaxListeners(0);
  for (const buffer of buffers) giveBackWhenClosed(buffer, pair);
  await Promise.all(pair.map(closed));
  const again = Array.from({ length: 100 }, takeReadBuffer);
  expect(again.filter((buffer) => buffers.includes(buffer))).toHaveLength(16);
});
