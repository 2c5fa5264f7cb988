import { type AddressInfo, connect, createServer, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpRoute } from '../../../../src/api/http/route.js';
import { createHttpServer } from '../../../../src/api/http/server.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { startApi, type TestApi, type TestApiOptions } from '../../../support/api-servers.js';
import { testDir } from '../../../support/component-deps.js';

let api: TestApi | undefined;
afterEach(() => api?.close());
const start = async (options?: TestApiOptions) => {
  api = await startApi(options);
  return api;
};

const echo: HttpRoute = {
  methods: ['GET', 'POST', 'PUT', 'DELETE'],
  versions: ['v1.0', 'v1.0-alpha1'],
  path: '/echo/:name',
  group: 'actors',
  operation: 'Echo',
  handle: (request) => ({
    params: request.params,
    body: Buffer.isBuffer(request.body) ? request.body.toString() : null,
    token: request.headers['dapr-api-token'] ?? null,
  }),
};
const broken = (path: string, handle: HttpRoute['handle']): HttpRoute => ({ ...echo, path, handle });

/** Sends bytes as they are. @returns everything that came back before the peer closed, or after `enough` */
function raw(where: number | NetConnectOpts, text: string, enough = /\r\n\r\n.+/s): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(typeof where === 'number' ? { host: '127.0.0.1', port: where } : where, () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (enough.test(answer)) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('the HTTP API server', () => {
  it('serves a route under each of its versions', async () => {
    const { url } = await start({ routes: [echo] });
    for (const version of ['v1.0', 'v1.0-alpha1'])
      expect(await (await fetch(url(`/${version}/echo/a`))).json()).toMatchObject({ params: { name: 'a' } });
    expect((await fetch(url('/v1.0-beta1/echo/a'))).status).toBe(404);
  });

  it.each([
    ['//v1.0//echo///a', 'a'],
    ['/v1.0/echo/a/', 'a'],
    ['/v1.0/echo/a+b', 'a b'],
    ['/v1.0/echo/a%2Bb', 'a+b'],
    ['/v1.0/echo/a%2Fb%20c', 'a/b c'],
    ['/v1.0/echo/%C3%BC', 'ü'],
    [`/v1.0/echo/${'x'.repeat(1000)}`, 'x'.repeat(1000)],
  ])('reads %s as Dapr does', async (path, name) => {
    const { httpPort } = await start({ routes: [echo] });
    const answer = await raw(httpPort, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect(answer).toContain(`"params":{"name":${JSON.stringify(name)}}`);
  });

  it('hands bodies over as bytes, whatever their content type says', async () => {
    const { url } = await start({ routes: [echo] });
    for (const type of ['application/json', 'text/plain', 'not a type', 'application/x-www-form-urlencoded', '']) {
      const response = await fetch(url('/v1.0/echo/a'), {
        method: 'POST',
        body: Buffer.from('{bad'),
        headers: type ? { 'content-type': type } : {},
      });
      expect(await response.json()).toMatchObject({ body: '{bad' });
    }
    const chunked = new ReadableStream({
      start(controller) {
        for (const part of ['a', 'b', 'c']) controller.enqueue(Buffer.from(part));
        controller.close();
      },
    });
    const response = await fetch(url('/v1.0/echo/a'), { method: 'PUT', body: chunked, duplex: 'half' } as RequestInit);
    expect(await response.json()).toMatchObject({ body: 'abc' });
  });

  it('sends everything else to the fallback as it was written, other methods on known paths too', async () => {
    const { url } = await start({ routes: [echo] });
    for (const [method, path] of [
      ['GET', '/some/path+x//y?q=1'],
      ['PATCH', '/v1.0/echo/a'],
      ['OPTIONS', '/v1.0/echo/a'],
      ['GET', '/v1.0/nothing'],
    ]) {
      const response = await fetch(url(path as string), { method, headers: { 'dapr-api-token': 'x' } });
      expect(await response.json()).toEqual({ fallback: path, method });
    }
  });

  it('refuses a larger body with 413, by its length or while it comes', async () => {
    const { url, httpPort } = await start({ routes: [echo], maxBodyBytes: 1000 });
    const body = 'x'.repeat(1001);
    const response = await fetch(url('/v1.0/echo/a'), { method: 'POST', body });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining('1000 bytes') });
    const chunks = [
      'POST /v1.0/echo/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
      ...Array(2).fill(`200\r\n${'x'.repeat(512)}\r\n`),
    ].join('');
    expect(await raw(httpPort, chunks)).toMatch(/^HTTP\/1.1 413/);
    expect((await fetch(url('/v1.0/echo/a'), { method: 'POST', body: body.slice(1) })).status).toBe(200);
  });

  it('does not buffer or limit the body of a streaming route', async () => {
    const stream: HttpRoute = {
      ...echo,
      path: '/stream',
      stream: true,
      handle: async (request) => {
        let size = 0;
        for await (const chunk of request.body as AsyncIterable<Buffer>) size += chunk.length;
        return { size };
      },
    };
    const { url } = await start({ routes: [stream], maxBodyBytes: 10 });
    const response = await fetch(url('/v1.0/stream'), { method: 'POST', body: 'x'.repeat(100_000) });
    expect(await response.json()).toEqual({ size: 100_000 });
  });

  it.each([
    [
      'thrown',
      () => {
        throw new Error('secret');
      },
    ],
    [
      'rejected',
      async () => {
        throw new Error('secret');
      },
    ],
  ])('answers an unexpected error that is %s with 500 and no text of it', async (how, handle) => {
    const { url } = await start({ routes: [broken('/broken', handle)] });
    const response = await fetch(url('/v1.0/broken'));
    expect(response.status, how).toBe(500);
    expect(await response.text()).toBe('{"errorCode":"ERROR","message":"internal error"}');
  });

  it('refuses a malformed path and a request with two lengths', async () => {
    const { httpPort } = await start({ routes: [echo] });
    expect(await raw(httpPort, 'GET /v1.0/echo/%zz HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 400.*ERR_BAD_REQUEST/s);
    const smuggled = 'POST /v1.0/echo/a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(await raw(httpPort, smuggled)).toMatch(/^HTTP\/1.1 400.*ERR_BAD_REQUEST/s);
  });

  it('asks for the API token everywhere but on the two health paths', async () => {
    const { url, httpPort } = await start({ routes: [echo], apiToken: 'right' });
    const status = async (path: string, token?: string) =>
      (await fetch(url(path), token === undefined ? {} : { headers: { 'dapr-api-token': token } })).status;
    const refused = await fetch(url('/v1.0/echo/a'));
    expect([refused.status, await refused.text()]).toEqual([401, 'invalid api token']);
    expect(refused.headers.get('content-type')).toMatch(/^text\/plain/);
    for (const token of ['', 'wrong', 'righ', 'right ok', 'RIGHT']) expect(await status('/v1.0/echo/a', token)).toBe(401);
    expect(await status('/anything/else')).toBe(401);
    expect(await status('/v1.0/healthz')).toBe(204);
    expect(await status('/v1.0/healthz/outbound?x=1')).toBe(204);
    for (const path of ['/v1.0/healthz/', '//v1.0/healthz', '/v1.0/health%7A', '/v1.0/healthz/../metadata'])
      expect(await raw(httpPort, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 401/);
    const accepted = await fetch(url('/v1.0/echo/a'), { headers: { 'dapr-api-token': 'right' } });
    expect(await accepted.json()).toMatchObject({ token: null });
  });

  it('never lets a token through to what is sent on, with the check off too', async () => {
    const { url } = await start({ routes: [echo] });
    const response = await fetch(url('/v1.0/echo/a'), { headers: { 'dapr-api-token': 'x' } });
    expect(await response.json()).toMatchObject({ token: null });
  });

  it('serves a Unix socket, and connections that others accepted', async () => {
    const path = join(testDir(), 'api.sock');
    const http = await createHttpServer({ routes: [echo], fallback: () => {}, maxBodyBytes: 1000, logger: silentLogger });
    await http.listen(path);
    const door = createServer((socket) => {
      socket.once('data', (chunk) => {
        socket.unshift(chunk);
        http.server.emit('connection', socket);
      });
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    const request = 'GET /v1.0/echo/a HTTP/1.1\r\nhost: x\r\n\r\n';
    expect(await raw({ path }, request)).toContain('"name":"a"');
    expect(await raw({ host: '127.0.0.1', port: (door.address() as AddressInfo).port }, request)).toContain('"name":"a"');
    await http.close(1000);
    door.close();
  });

  it('lets a request under way end before it closes, and closes idle connections at once', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = broken('/slow', async () => {
      await held;
      return { done: true };
    });
    const { url, http } = await start({ routes: [slow, echo] });
    await (await fetch(url('/v1.0/echo/a'))).text();
    const answer = fetch(url('/v1.0/slow'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = http.close(5000);
    setTimeout(release, 50);
    expect(await (await answer).json()).toEqual({ done: true });
    await closed;
    await expect(fetch(url('/v1.0/echo/a'))).rejects.toThrow();
  });

  it('cuts what does not end within the deadline', async () => {
    const { url, http } = await start({ routes: [broken('/never', () => new Promise(() => {}))] });
    const answer = fetch(url('/v1.0/never')).catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await http.close(50);
    expect(await answer).toBe('cut');
  });
});
