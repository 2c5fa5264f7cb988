import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpChannel } from '../../../../src/blocks/app/channel.js';
import { createHttpChannel } from '../../../../src/blocks/app/http-channel.js';

let server: Server;
let channel: HttpChannel;
afterEach(async () => {
  await channel.close();
  server.closeAllConnections();
  server.close();
});

async function serve(answer: RequestListener, options: { maxBodyBytes?: number } = {}): Promise<HttpChannel> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  channel = createHttpChannel({ origin: `http://127.0.0.1:${port}`, headers: { 'dapr-api-token': 'secret' }, ...options });
  return channel;
}

describe('the HTTP channel', () => {
  it('sends method, path, headers and body, and gives the whole reply', async () => {
    const http = await serve((request, response) => {
      const seen = `${request.method} ${request.url} ${request.headers['x-a']} ${request.headers['dapr-api-token']} `;
      response.writeHead(201, { 'x-many': ['1', '2'] });
      response.write(seen);
      request.pipe(response);
    });
    const reply = await http.request({ method: 'PUT', path: '/a?b=1', headers: { 'x-a': 'y' }, body: 'hello' });
    expect(reply.status).toBe(201);
    expect(reply.headers['x-many']).toEqual(['1', '2']);
    expect(reply.body.toString()).toBe('PUT /a?b=1 y secret hello');
  });

  it('gives an empty body for an empty reply', async () => {
    const http = await serve((_, response) => response.writeHead(204).end());
    expect((await http.request({ method: 'GET', path: '/' })).body).toHaveLength(0);
  });

  it('stops reading a reply that is too large', async () => {
    const http = await serve(
      (_, response) => {
        response.write(Buffer.alloc(1000));
        response.end(Buffer.alloc(1000));
      },
      { maxBodyBytes: 1500 },
    );
    await expect(http.request({ method: 'GET', path: '/' })).rejects.toThrow('larger than 1500 bytes');
  });

  it('ends a call whose signal aborts, before and while it waits, and whose deadline passes', async () => {
    const http = await serve(() => {});
    const late = AbortSignal.abort(new Error('too late'));
    await expect(http.request({ method: 'GET', path: '/', signal: late })).rejects.toThrow('too late');
    const stop = new AbortController();
    const call = http.request({ method: 'GET', path: '/', signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await expect(call).rejects.toThrow('stopped');
    await expect(http.request({ method: 'GET', path: '/', timeoutMs: 100 })).rejects.toThrow(/timeout/i);
  });

  it('says so when nobody listens', async () => {
    const http = await serve(() => {});
    server.close();
    server.closeAllConnections();
    await expect(http.request({ method: 'GET', path: '/' })).rejects.toThrow(/ECONNREFUSED|other side closed/);
  });
});
