import { afterAll, beforeAll, expect, it } from 'vitest';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** `--allowed-origins` in real sidecars, at both doors: what a browser asks beforehand, and what it looks for in answers. */

let mesh: Mesh;
const doors = ['envoy', 'service'] as const;
const sidecars = new Map<string, SidecarProcess>();
beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((request, response) => response.end(`${request.method} ${request.url}`));
  const shop = await mesh.sidecar({ appId: 'shop', appPort });
  await shop.ready();
  for (const door of doors)
    sidecars.set(
      door,
      await mesh.sidecar({ appId: door, door, args: ['--allowed-origins', 'https://a.example,https://*.b.example'] }),
    );
  await Promise.all([...sidecars.values()].map((sidecar) => sidecar.ready()));
}, 60_000);
afterAll(() => mesh?.close());

it.each(
  doors.flatMap((door) =>
    (
      [
        ['https://a.example', true],
        ['https://x.b.example', true],
        ['https://b.example', false],
        ['http://a.example', false],
        ['null', false],
      ] as const
    ).map(([origin, allowed]) => [door, origin, allowed] as const),
  ),
)('at the %s door %s: %s', async (door, origin, allowed) => {
  const url = `${sidecars.get(door)?.api}/v1.0/metadata`;
  const asked = { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'dapr-api-token' };
  const before = await call(url, { method: 'OPTIONS', headers: asked });
  expect([before.status, before.body]).toEqual([200, '']);
  const answer = await call(url, { headers: { origin } });
  expect(answer.status).toBe(200);
  expect(before.headers['access-control-allow-headers']).toBe(allowed ? 'dapr-api-token' : undefined);
  for (const { headers } of [before, answer]) expect(headers['access-control-allow-origin']).toBe(allowed ? origin : undefined);
});

it.each(doors)('covers calls by name too, whose preflights reach no app: %s door', async (door) => {
  const origin = 'https://a.example';
  const url = `${sidecars.get(door)?.api}/v1.0/invoke/shop/method/x`;
  const before = await call(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  expect([before.status, before.body, before.headers['access-control-allow-origin']]).toEqual([200, '', origin]);
  const answer = await call(url, { method: 'POST', headers: { origin } });
  expect([answer.status, answer.body, answer.headers['access-control-allow-origin']]).toEqual([200, 'POST /x', origin]);
  const stranger = await call(url, { method: 'POST', headers: { origin: 'https://evil.example' } });
  expect([stranger.status, stranger.headers['access-control-allow-origin']]).toEqual([200, undefined]);
});
