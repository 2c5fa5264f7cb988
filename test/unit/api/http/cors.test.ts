import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createCors } from '../../../../src/api/http/cors.js';

let server: Server;
afterEach(() => server.close());

async function ask(origins: string, headers: Record<string, string>, method = 'GET') {
  const cors = createCors(origins);
  server = createServer((request, response) => void (cors(request, response) || response.end('answer')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method, headers });
  return {
    body: await answer.text(),
    status: answer.status,
    origin: answer.headers.get('access-control-allow-origin'),
    all: answer.headers,
  };
}

it.each([
  ['https://a.example', 'https://a.example', 'https://a.example'],
  ['https://a.example', 'HTTPS://A.example', 'HTTPS://A.example'],
  ['https://a.example', 'https://a.example.evil', null],
  ['https://a.example', 'https://aXexample', null],
  ['https://a.example, https://b.example', 'https://b.example', 'https://b.example'],
  ['https://*.example', 'https://x.example', 'https://x.example'],
  ['*', 'https://x', '*'],
  ['https://a.example', 'null', null],
])('%s for %s: %s', async (origins, origin, allowed) => {
  const { body, origin: got } = await ask(origins, { origin });
  expect([body, got]).toEqual(['answer', allowed]);
});

it('answers what a browser asks beforehand', async () => {
  const asked = {
    origin: 'https://a',
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'x-a, dapr-api-token',
  };
  const { status, body, all } = await ask('https://a', asked, 'OPTIONS');
  expect([status, body]).toEqual([200, '']);
  expect(Object.fromEntries(all)).toMatchObject({
    'access-control-allow-origin': 'https://a',
    'access-control-allow-methods': 'PUT',
    'access-control-allow-headers': 'x-a, dapr-api-token',
  });
  expect(all.get('access-control-allow-credentials')).toBeNull();
});

it('allows no page of another origin, and leaves an ordinary OPTIONS alone', async () => {
  const { origin } = await ask('https://a', { origin: 'https://b', 'access-control-request-method': 'GET' }, 'OPTIONS');
  expect(origin).toBeNull();
  server.close();
  expect((await ask('https://a', { origin: 'https://a' }, 'OPTIONS')).body).toBe('answer');
});
