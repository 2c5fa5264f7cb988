import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { eventually } from '../../support/eventually.js';
import { END_HEADERS, END_STREAM, FRAME, frame, literal, openH2, requestHeaders } from '../../support/h2-raw.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/**
 * What is meant to fill memory or to keep a server busy (cases S10 and S11), against Envoy and against the filter service. Each attack is
 * ended or answered within bounds, and whoever comes next is served.
 */

const MEBIBYTE = 1024 * 1024;
const BODY_LIMIT = MEBIBYTE;
/** Far below what the attacks send; far above what a sidecar grows by in a test. */
const GROWTH = 96 * MEBIBYTE;

describe.each(['envoy', 'service'] as const)('at the %s door', (door) => {
  let mesh: Mesh;
  let orders: SidecarProcess;
  beforeAll(async () => {
    mesh = await createMesh();
    const appPort = await mesh.app((request, response) => {
      request.resume().on('end', () => response.end('ok'));
      request.on('error', () => {});
    });
    orders = await mesh.sidecar({ appId: 'orders', appPort, door, args: ['--max-body-size', '1Mi'] });
    await orders.ready();
    // Its own name is routed a moment after it is ready.
    await eventually(stillServes);
  });
  afterAll(() => mesh.close());

  const memory = () =>
    [orders.cli.pid, ...orders.envoys()].reduce((sum, pid) => {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      return sum + Number(kilobytes) * 1024;
    }, 0);

  /** @returns what came back, until the connection was closed or `enough` is in it */
  const send = (chunks: Iterable<Buffer>, enough: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: orders.httpPort });
      let answer = '';
      socket.setTimeout(20_000, () => socket.destroy(new Error(`still open; so far: ${answer}`)));
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
        if (enough.test(answer)) socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) =>
        ['ECONNRESET', 'EPIPE'].includes(error.code ?? '') ? undefined : reject(error),
      );
      socket.on('close', () => resolve(answer));
      const rest = chunks[Symbol.iterator]();
      const pump = () => {
        for (;;) {
          const { value, done } = rest.next();
          if (done || socket.destroyed) return;
          if (!socket.write(value)) return void socket.once('drain', pump);
        }
      };
      pump();
    });

  async function stillServes() {
    const asked = await fetch(`${orders.api}/v1.0/invoke/orders/method/x`);
    expect([asked.status, await asked.text()]).toEqual([200, 'ok']);
    const json = { 'content-type': 'application/json' };
    const saved = await fetch(`${orders.api}/v1.0/state/statestore`, {
      method: 'POST',
      headers: json,
      body: '[{"key":"k","value":1}]',
    });
    expect(saved.status).toBe(204);
  }

  function* repeated(head: string, chunk: Buffer, times: number): Iterable<Buffer> {
    yield Buffer.from(head);
    for (let i = 0; i < times; i++) yield chunk;
  }

  const endless = (path: string) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;

  it('a body without length and without end is given up at the limit', async () => {
    const before = memory();
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    const answer = await send(repeated(endless('/v1.0/state/statestore'), chunk, 4096), /^HTTP\/1\.1 413/);
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    expect(memory() - before).toBeLessThan(GROWTH);
    await stillServes();
  });

  it('whoever goes on sending after the answer is cut off', async () => {
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    // Resolves only when the connection is closed.
    expect(await send(repeated(endless('/v1.0/state/statestore'), chunk, Number.POSITIVE_INFINITY), /$never/)).toMatch(
      /^HTTP\/1\.1 413/,
    );
    await stillServes();
  });

  it('a body that says that it is too long is not waited for', async () => {
    const head = `POST /v1.0/state/statestore HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY_LIMIT + 1}\r\n\r\n`;
    expect(await send([Buffer.from(head)], /^HTTP\/1\.1 413/)).toMatch(/^HTTP\/1\.1 413/);
  });

  it('a hundred thousand headers are refused', async () => {
    const before = memory();
    const head = 'GET /v1.0/state/statestore/k HTTP/1.1\r\nhost: x\r\n';
    const lines = Buffer.from(Array.from({ length: 1000 }, (_, i) => `x-${i}: y\r\n`).join(''));
    const answer = await send(repeated(head, lines, 100), /^HTTP\/1\.1 4\d\d/);
    // Node answers 431 as Envoy does; a client that is still sending may see the close first.
    expect(answer).toMatch(/^(HTTP\/1\.1 431|$)/);
    expect(memory() - before).toBeLessThan(GROWTH);
    await stillServes();
  });

  it('JSON that is nested a hundred thousand deep is a bad request, or a value like any other', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const json = { 'content-type': 'application/json' };
    const post = async (path: string, body: string) =>
      (await fetch(orders.api + path, { method: 'POST', headers: json, body })).status;
    expect([204, 400]).toContain(await post('/v1.0/state/statestore', `[{"key":"deep","value":${deep}}]`));
    expect([204, 400]).toContain(await post('/v1.0/publish/pubsub/deep', deep));
    expect([400]).toContain(await post('/v1.0/state/statestore', deep));
    await stillServes();
  });

  const grpcServes = () =>
    new Promise<void>((resolve, reject) => {
      const client = new DaprClient(`127.0.0.1:${orders.grpcPort}`, credentials.createInsecure());
      client.getMetadata({}, new Metadata(), { deadline: Date.now() + 10_000 }, (error, found) => {
        client.close();
        if (error) reject(error);
        else resolve(expect(found?.id).toBe('orders'));
      });
    });

  it('streams that are opened and reset at once are cut off, or cost nothing', async () => {
    const before = memory();
    const socket = await openH2(orders.grpcPort);
    const headers = requestHeaders('/dapr.proto.runtime.v1.Dapr/GetMetadata');
    for (let burst = 0; burst < 100 && !socket.destroyed; burst++) {
      const frames: Buffer[] = [];
      for (let i = 0; i < 200; i++) {
        const stream = (burst * 200 + i) * 2 + 1;
        frames.push(frame(FRAME.headers, END_HEADERS, stream, headers), frame(FRAME.rst, 0, stream, Buffer.from([0, 0, 0, 8])));
      }
      await new Promise<void>((resolve) => socket.write(Buffer.concat(frames), () => resolve()));
    }
    await grpcServes();
    socket.destroy();
    expect(memory() - before).toBeLessThan(GROWTH);
    await stillServes();
  });

  it('a header block that never ends is cut off', async () => {
    const before = memory();
    const socket = await openH2(orders.grpcPort);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(frame(FRAME.headers, END_STREAM, 1, requestHeaders('/dapr.proto.runtime.v1.Dapr/GetMetadata')));
    const more = frame(
      FRAME.continuation,
      0,
      1,
      Buffer.concat(Array.from({ length: 100 }, (_, i) => literal(`x-${i}`, 'y'.repeat(100)))),
    );
    for (let i = 0; i < 10_000 && !socket.destroyed; i++)
      if (!socket.write(more)) await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', () => resolve()));
    await closed;
    await grpcServes();
    expect(memory() - before).toBeLessThan(GROWTH);
  });
});
