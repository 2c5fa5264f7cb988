import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Actors under a Resiliency, real processes: the caller's Envoy tries again, the owner's breaker holds back, and it ends turns that take too long. */

let mesh: Mesh;
let web: SidecarProcess;
let directory: string;
let metrics: string;
let seen: string[] = [];
let answer: (response: ServerResponse, method: string) => void = (response) => void response.end('"well"');
const app = createServer((request, response) => {
  const { url = '' } = request;
  request.resume();
  if (url === '/dapr/config') return void response.end('{"entities":["Cart"]}');
  const [, id, , method = ''] = /^\/actors\/Cart\/([^/]+)(\/method\/(\w+))?$/.exec(url) ?? [];
  if (request.method !== 'PUT' || !id) return void response.writeHead(request.method === 'DELETE' ? 200 : 404).end();
  seen.push(id);
  answer(response, method);
});

beforeAll(async () => {
  mesh = await createMesh();
  directory = mesh.world.home;
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  writeFileSync(
    join(directory, 'store.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: store }
spec: { type: state.in-memory, metadata: [{ name: actorStateStore, value: "true" }] }
`,
  );
  const port = await mesh.world.port();
  metrics = `http://127.0.0.1:${port}/metrics`;
  const game = await mesh.sidecar({
    appId: 'game',
    appPort: (app.address() as AddressInfo).port,
    args: ['--resources-path', directory, '--metrics-port', String(port)],
  });
  web = await mesh.sidecar({ appId: 'web', args: ['--resources-path', directory] });
  await Promise.all([game.ready(), web.ready()]);
  await eventually(async () => expect((await add('first')).status).toBe(200), 20_000);
}, 60_000);
afterAll(async () => {
  app.closeAllConnections();
  app.close();
  await mesh?.close();
});
beforeEach(() => {
  seen = [];
});

const add = (id: string, method = 'add') =>
  call(`${web.api}/v1.0/actors/Cart/${id}/method/${method}`, { body: 'x', method: 'PUT' });
const held = async (app: string) => (await mesh.world.run(['proxy-config', app, '--output', 'json'])).text;
/** Resolves when owner and caller have it: the caller's route is told from the one before by its count of retries. */
async function resiliency(
  policies: string,
  target: string,
  mark: { readonly retries: number; readonly source: string },
): Promise<void> {
  writeFileSync(
    join(directory, 'resiliency.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: ${mark.source} }
spec: { policies: ${policies}, targets: { actors: { Cart: ${target} } } }
`,
  );
  await eventually(async () => {
    expect(await held('game')).toContain(`"source": "${mark.source}"`);
    expect((await held('web')).replaceAll(/\s/g, '')).toContain(`"numRetries":${mark.retries}`);
  }, 20_000);
}
const OPEN = { status: 500, body: expect.stringContaining('error invoke actor method: circuit breaker is open') };

it('holds calls back once its breaker is open, without a retry, and lets them through again after its time', async () => {
  await resiliency(
    `{ retries: { often: { policy: constant, duration: 10ms, maxRetries: 33 } },
       circuitBreakers: { c: { trip: totalFailures >= 4, timeout: 2s } } }`,
    '{ retry: often, circuitBreaker: c, circuitBreakerScope: type }',
    { retries: 33, source: 'by-type' },
  );
  answer = (response) => void response.writeHead(500).end('broken');
  // Four tries open it; the fifth is refused, and that answer is not tried again.
  const first = await add('a');
  expect(first).toMatchObject(OPEN);
  expect(seen).toEqual(Array(4).fill('a'));
  expect(Object.keys(first.headers).filter((name) => /^x-(weft|envoy-rate)/.test(name))).toEqual([]);
  for (const id of ['a', 'b', 'c']) expect(await add(id)).toMatchObject(OPEN);
  expect(seen).toHaveLength(4);
  expect(await (await fetch(metrics)).text()).toMatch(
    /dapr_resiliency_cb_state\{.*policy="circuitbreaker".*target="actor_Cart".*\} 2/,
  );
  answer = (response) => void response.end('"well"');
  await eventually(async () => expect(await add('b')).toMatchObject({ status: 200, body: '"well"' }));
  for (const id of ['a', 'b', 'c']) expect((await add(id)).status).toBe(200);
});

it('breaks one actor and leaves the others alone', async () => {
  await resiliency(
    `{ retries: { none: { policy: constant, duration: 10ms, maxRetries: 21 } },
       circuitBreakers: { c: { trip: consecutiveFailures >= 2, timeout: 60s } } }`,
    '{ retry: none, circuitBreaker: c, circuitBreakerScope: id }',
    { retries: 21, source: 'by-id' },
  );
  answer = (response, method) => void response.writeHead(method === 'bad' ? 500 : 200).end('"x"');
  expect(await add('a', 'bad')).toMatchObject(OPEN);
  expect(await add('a')).toMatchObject(OPEN);
  expect((await add('b')).status).toBe(200);
  expect(seen).toEqual(['a', 'a', 'b']);
});

it('gives a turn its time, which begins with the turn: waiting for it does not count', async () => {
  await resiliency(
    `{ timeouts: { short: 1s }, retries: { twice: { policy: constant, duration: 10ms, maxRetries: 2, matching: { httpStatusCodes: "503" } } } }`,
    '{ timeout: short, retry: twice }',
    { retries: 2, source: 'by-time' },
  );
  // Four turns of 400 ms, one after the other: the last one waits longer than a second and none takes as long.
  answer = (response) => void setTimeout(() => response.end('"done"'), 400);
  const all = await Promise.all(Array.from({ length: 4 }, () => add('slow')));
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(seen).toHaveLength(4);
  // One that does not end is tried again, whatever statuses the retry names.
  seen = [];
  answer = () => {};
  expect(await add('stuck')).toMatchObject({
    status: 500,
    body: expect.stringContaining('error invoke actor method: no answer within 1000 ms'),
  });
  expect(seen).toHaveLength(3);
});

it('costs nothing and leaves nothing behind when the policy goes', async () => {
  writeFileSync(join(directory, 'resiliency.yaml'), '');
  await eventually(async () => expect(await held('game')).not.toContain('"source": "by-time"'), 20_000);
  answer = (response) => void response.end('"free"');
  await eventually(async () => expect((await add('stuck')).status).toBe(200));
});
