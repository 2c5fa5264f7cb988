import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deferred, sleep, withDeadline } from '../../src/lib/async.js';
import { createRig, type EnvoyRig, type Handler, type RigSidecar } from '../support/envoy-rig.js';
import { eventually } from '../support/eventually.js';

/** Real Envoys: bodies flow through two of them as they come, in either direction, however long. */

const MIB = 1024 * 1024;
const SIZE = 100 * MIB;
const CHUNK = Buffer.alloc(64 * 1024, 'weft');

function* chunks(total: number) {
  for (let sent = 0; sent < total; sent += CHUNK.length) yield CHUNK;
}
const digestOf = async (body: AsyncIterable<Buffer>) => {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return `${bytes} ${hash.digest('hex')}`;
};

let heard = deferred<string>();
let held = deferred<void>();
const app: Handler = (incoming, response) => {
  if (incoming.url === '/upload') void digestOf(incoming).then((digest) => response.end(digest));
  else if (incoming.url === '/download') pipeline(Readable.from(chunks(SIZE)), response).catch(() => {});
  else if (incoming.url === '/held') void held.promise.then(() => response.end('done'));
  else if (incoming.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
  } else {
    incoming.once('data', (chunk: Buffer) => heard.resolve(chunk.toString()));
    incoming.on('end', () => response.end('done'));
  }
};

let rig: EnvoyRig;
let caller: RigSidecar;
let target: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'checkout' });
  target = await rig.add({ appId: 'media', app });
  await rig.update({});
});
afterAll(() => rig.close());

const open = (path: string, method: string) => {
  const outgoing = request(`${caller.api}/v1.0/invoke/media/method${path}`, { method, agent: false });
  return { outgoing, answered: once(outgoing, 'response').then(([response]) => response as Readable & { statusCode: number }) };
};
const memoryMib = async (sidecar: RigSidecar) =>
  JSON.parse((await sidecar.envoy.admin.call('GET', '/memory')).body).allocated / MIB;

it('100 MB up without a length', async () => {
  const { outgoing, answered } = open('/upload', 'POST');
  const [digest] = await Promise.all([
    answered.then(async (response) => (await response.toArray()).join('')),
    pipeline(Readable.from(chunks(SIZE)), outgoing),
  ]);
  expect(digest).toBe(await digestOf(Readable.from(chunks(SIZE))));
});

it('100 MB down, also to a slow reader, without either Envoy holding it', async () => {
  const before = Math.max(await memoryMib(caller), await memoryMib(target));
  const { outgoing, answered } = open('/download', 'GET');
  outgoing.end();
  const response = await answered;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const held = Math.max(await memoryMib(caller), await memoryMib(target)) - before;
  expect(held).toBeLessThan(10);
  expect(await digestOf(response)).toBe(await digestOf(Readable.from(chunks(SIZE))));
});

it('readers that have stopped hold up no call beside them', async () => {
  const stopped = Array.from({ length: 40 }, () => open('/download', 'GET'));
  for (const { outgoing } of stopped) outgoing.on('error', () => {}).end();
  await Promise.all(stopped.map(({ answered }) => answered));
  // Until nothing flows any more: every one of them has filled what there is for it.
  await eventually(async () => {
    const before = await memoryMib(target);
    await sleep(100);
    expect(Math.abs((await memoryMib(target)) - before)).toBeLessThan(0.05);
  });
  for (let call = 0; call < 20; call++) {
    const { outgoing, answered } = open('/beside', 'POST');
    outgoing.end('now');
    const response = await withDeadline(answered, 2000, `call ${call}`);
    expect((await response.toArray()).join('')).toBe('done');
  }
  for (const { outgoing } of stopped) outgoing.destroy();
});

// Envoy's guard against rapid resets, and below it nghttp2's, would end the connections that they share (issue #4).
it('thousands of callers that give up at once end no call beside them', async () => {
  held = deferred();
  const patient = Array.from({ length: 8 }, () => open('/held', 'GET'));
  for (const { outgoing } of patient) outgoing.end();
  const impatient = async (calls: number) => {
    for (let call = 0; call < calls; call++) {
      const { outgoing, answered } = open('/held', 'GET');
      answered.catch(() => {});
      outgoing.end();
      await sleep(10);
      outgoing.destroy();
    }
  };
  await Promise.all(Array.from({ length: 16 }, () => impatient(300)));
  held.resolve();
  for (const { answered } of patient) {
    const response = await withDeadline(answered, 5000, 'an answer');
    expect([response.statusCode, (await response.toArray()).join('')]).toEqual([200, 'done']);
  }
});

it('the first bytes of an upload arrive while the rest is still to come', async () => {
  heard = deferred();
  const { outgoing, answered } = open('/slow', 'POST');
  outgoing.write('first');
  expect(await withDeadline(heard.promise, 2000, 'the first chunk')).toBe('first');
  outgoing.end('last');
  expect((await (await answered).toArray()).join('')).toBe('done');
});

it('an event arrives while its stream stays open', async () => {
  const { outgoing, answered } = open('/events', 'GET');
  outgoing.end();
  const [first] = await withDeadline(once(await answered, 'data'), 2000, 'the first event');
  expect(String(first)).toBe('data: 1\n\n');
  outgoing.on('error', () => {});
  outgoing.destroy();
});

it('a WebSocket is upgraded end to end, by path and by header', async () => {
  target.appServer.on('upgrade', (incoming, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    socket.on('data', (data) => socket.write(`${incoming.url} ${data}`));
    socket.on('error', () => {});
  });
  for (const [path, header] of [
    ['/v1.0/invoke/media/method/ws', ''],
    ['/ws', 'dapr-app-id: media\r\n'],
  ]) {
    const socket = connect(caller.instance.httpPort, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n${header}\r\n`);
    const [head] = await withDeadline(once(socket, 'data'), 2000, 'the upgrade');
    expect(String(head)).toMatch(/^HTTP\/1\.1 101 /);
    socket.write('ping');
    const [answer] = await withDeadline(once(socket, 'data'), 2000, 'the frame');
    expect(String(answer)).toBe('/ws ping');
    socket.destroy();
  }
});
