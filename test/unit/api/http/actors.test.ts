import { afterEach, beforeEach, expect, test } from 'vitest';
import { ActorMesh, type MeshHost } from '../../../support/actor-mesh.js';
import { buildTable } from '../../../support/actors.js';
import { type AppReply, type AppRequest, startHttpApp, type TestHttpApp } from '../../../support/http-app.js';

let mesh: ActorMesh;
let app: TestHttpApp;
let answer: (request: AppRequest) => AppReply | Promise<AppReply>;
let one: MeshHost;
let two: MeshHost;

const CONFIG = JSON.stringify({ entities: ['Counter'], reentrancy: { enabled: false } });

beforeEach(async () => {
  answer = () => ({ body: 'done' });
  app = await startHttpApp((request) => (request.url === '/dapr/config' ? { body: CONFIG } : answer(request)));
  mesh = new ActorMesh();
  one = await mesh.add({ name: 'h1', appId: 'counters', app: app.origin });
  two = await mesh.add({ name: 'h2', appId: 'counters', app: app.origin });
  await mesh.place('Counter', ['h1', 'h2']);
  app.seen.length = 0;
});

afterEach(async () => {
  await mesh.close();
  await app.close();
});

const ownedBy = (host: string, prefix = 'a') => {
  for (let i = 0; ; i++) if (buildTable(['h1', 'h2']).owner(`Counter/${prefix}${i}`) === host) return `${prefix}${i}`;
};
const call = (id: string, init: RequestInit = {}, host = one) =>
  fetch(`${host.api}/v1.0/actors/Counter/${id}/method/add?by=2`, { method: 'POST', ...init });
const state = (id: string, rest = '', init: RequestInit = {}) => fetch(`${one.api}/v1.0/actors/Counter/${id}/state${rest}`, init);
const save = (id: string, operations: unknown) => state(id, '', { method: 'POST', body: JSON.stringify(operations) });

test('a call reaches the app as PUT with body, query and headers, whatever verb the caller used', async () => {
  answer = () => ({ headers: { 'x-answer': 'yes', 'content-type': 'text/x-own' }, body: 'done' });
  const id = ownedBy('h1');
  const reply = await call(id, {
    body: '{"n":1}',
    headers: { 'x-custom': 'kept', 'dapr-api-token': 'secret', 'x-dapr-remote': 'true' },
  });
  expect([reply.status, await reply.text()]).toEqual([200, 'done']);
  expect(reply.headers.get('x-answer')).toBe('yes');
  expect(reply.headers.get('content-type')).toBe('text/x-own');
  expect(app.seen[0]).toMatchObject({ method: 'PUT', url: `/actors/Counter/${id}/method/add?by=2`, body: '{"n":1}' });
  expect(app.seen[0]?.headers).toMatchObject({ 'x-custom': 'kept', 'dapr-api-call': 'true' });
  expect(app.seen[0]?.headers).not.toHaveProperty('dapr-api-token');
  expect(app.seen[0]?.headers).not.toHaveProperty('x-weft-to');
  expect(app.seen[0]?.headers).not.toHaveProperty('x-dapr-remote');
});

test('a call of an actor on another host runs there and says so to the app', async () => {
  const id = ownedBy('h2');
  expect((await call(id)).status).toBe(200);
  expect(app.seen[0]?.headers['x-dapr-remote']).toBe('true');
  expect(two.runtime.isActive({ type: 'Counter', id })).toBe(true);
  expect(one.runtime.isActive({ type: 'Counter', id })).toBe(false);
});

test.each([201, 204, 400, 500])('an answer of %i is an error of the actor service', async (status) => {
  answer = () => ({ status, body: status === 204 ? undefined : 'broken' });
  const reply = await call(ownedBy('h1'));
  expect(reply.status).toBe(500);
  expect(await reply.json()).toEqual({
    errorCode: 'ERR_ACTOR_INVOKE_METHOD',
    message: `error invoke actor method: error from actor service: (${status}) ${status === 204 ? '' : 'broken'}`,
  });
});

test('404 from the app means that the method does not exist', async () => {
  answer = () => ({ status: 404 });
  const id = ownedBy('h1');
  expect(await (await call(id)).json()).toEqual({
    errorCode: 'ERR_ACTOR_INVOKE_METHOD',
    message: `error invoke actor method: actor method not found: actors/Counter/${id}/method/add`,
  });
});

test("an actor's own error passes through untouched", async () => {
  answer = () => ({ headers: { 'X-DaprErrorResponseHeader': 'true' }, body: 'domain error' });
  const reply = await call(ownedBy('h1'));
  expect([reply.status, reply.headers.get('x-daprerrorresponseheader'), await reply.text()]).toEqual([
    200,
    'true',
    'domain error',
  ]);
});

test('one actor has one owner, however its id is spelled in the path', async () => {
  for (let i = 0; i < 20; i++) {
    await call(`a:${i}`, {}, one);
    await call(`a%3A${i}`, {}, two);
    await call(`a%3a${i}`, {}, one);
    const actor = { type: 'Counter', id: `a:${i}` };
    expect([one, two].filter((host) => host.runtime.isActive(actor)).length).toBe(1);
  }
  expect(app.seen.length).toBe(60);
});

test('a call that reaches the wrong host is answered 503 and marked, and runs once it reaches the owner', async () => {
  const id = ownedBy('h1');
  await mesh.placeUnrouted('Counter', ['h2']);
  const pending = call(id);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(app.seen.length).toBe(0);
  await mesh.place('Counter', ['h2']);
  expect((await pending).status).toBe(200);
  expect(app.seen.length).toBe(1);
  expect(two.runtime.isActive({ type: 'Counter', id })).toBe(true);
});

test('calls of one actor from both hosts run one at a time', async () => {
  let running = 0;
  let most = 0;
  answer = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
    return { body: 'done' };
  };
  const id = ownedBy('h2');
  const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => call(id, {}, i % 2 ? one : two)));
  expect(replies.every((reply) => reply.status === 200)).toBe(true);
  expect(most).toBe(1);
});

test('a type that nobody hosts has no address', async () => {
  const reply = await fetch(`${one.api}/v1.0/actors/Unknown/a/method/go`, { method: 'POST' });
  expect(reply.status).toBe(404);
  expect(await reply.json()).toMatchObject({ errorCode: 'ERR_ACTOR_NO_ADDRESS' });
});

test.each(['%2e%2e', 'a%2Fb', 'a%23b', 'a%00b', 'a%5Cb'])('the id %s is refused', async (id) => {
  const reply = await fetch(`${one.api}/v1.0/actors/Counter/x/method/${id}`, { method: 'POST' });
  expect(reply.status).toBeGreaterThanOrEqual(400);
  expect(app.seen.length).toBe(0);
});

test('state is written within a turn, read back byte for byte, and kept under the key that Dapr uses', async () => {
  const id = ownedBy('h1');
  const value = '{ "n": 12345678901234567890, "s": "ü" }';
  answer = async () => {
    const operations = `[{"operation":"upsert","request":{"key":"count","value":${value}}}]`;
    const saved = await state(id, '', { method: 'POST', body: operations });
    return { body: String(saved.status) };
  };
  expect(await (await call(id)).text()).toBe('204');
  const read = await state(id, '/count');
  expect([read.status, read.headers.get('content-type'), await read.text()]).toEqual([200, 'application/json', value]);
  expect((await mesh.store.get(`counters||Counter||${id}||count`))?.value.toString()).toBe(value);
  await save(id, [{ operation: 'delete', request: { key: 'count' } }]);
  expect((await state(id, '/count')).status).toBe(204);
});

test('only an actor that is active here may write', async () => {
  const reply = await save('sleeping', [{ operation: 'upsert', request: { key: 'a', value: 1 } }]);
  expect(reply.status).toBe(400);
  expect(await reply.json()).toEqual({ errorCode: 'ERR_ACTOR_INSTANCE_MISSING', message: 'actor instance is missing' });
});

test.each([
  [[{ operation: 'upsert', request: { key: '', value: 1 } }], 'missing key'],
  [[{ operation: 'merge', request: { key: 'a' } }], 'operation type merge not supported'],
  [[{ operation: 'upsert', request: { key: 'a', value: 1, metadata: { ttlInSeconds: '5' } } }], 'ActorStateTTL'],
])('a transaction %j is refused whole', async (operations, message) => {
  const id = ownedBy('h1');
  await call(id);
  const reply = await save(id, [{ operation: 'upsert', request: { key: 'ok', value: 1 } }, ...operations]);
  expect(reply.status).toBe(500);
  const body = (await reply.json()) as Record<string, string>;
  expect(body.errorCode).toBe('ERR_ACTOR_STATE_TRANSACTION_SAVE');
  expect(body.message).toContain(message);
  expect((await state(id, '/ok')).status).toBe(204);
});

test.each(['', '{}', '[1]', '[{"operation":"upsert"}]', '[{'])('a body of %j is malformed', async (body) => {
  const id = ownedBy('h1');
  await call(id);
  const reply = await state(id, '', { method: 'POST', body });
  expect([reply.status, ((await reply.json()) as Record<string, string>).errorCode]).toEqual([400, 'ERR_MALFORMED_REQUEST']);
});

test('with the feature ActorStateTTL a value expires and says when', async () => {
  const host = await mesh.add({ name: 'h3', appId: 'counters', app: app.origin, ttlEnabled: true });
  await mesh.place('Counter', ['h3']);
  await call('a', {}, host);
  const url = `${host.api}/v1.0/actors/Counter/a/state`;
  const operations = [{ operation: 'upsert', request: { key: 'k', value: 1, metadata: { ttlInSeconds: '100' } } }];
  expect((await fetch(url, { method: 'PUT', body: JSON.stringify(operations) })).status).toBe(204);
  const expires = Date.parse((await fetch(`${url}/k`)).headers.get('metadata.ttlExpireTime') ?? '');
  expect(expires - Date.now()).toBeGreaterThan(90_000);
  expect(expires - Date.now()).toBeLessThan(101_000);
});

test('state of workflow actors is not for apps', async () => {
  const reply = await fetch(`${one.api}/v1.0/actors/dapr.internal.default.counters.workflow/a/state/k`);
  expect([reply.status, ((await reply.json()) as Record<string, string>).errorCode]).toEqual([403, 'ERR_ACTOR_TYPE_RESERVED']);
});

test('calls from other sidecars need no API token, the API itself does', async () => {
  const host = await mesh.add({ name: 'h3', appId: 'counters', app: app.origin, apiToken: 'secret' });
  await mesh.place('Counter', ['h3']);
  expect((await call('a', {}, one)).status).toBe(200);
  expect((await call('a', {}, host)).status).toBe(401);
  expect((await call('a', { headers: { 'dapr-api-token': 'secret' } }, host)).status).toBe(200);
  expect(app.seen.every(({ headers }) => headers['dapr-api-token'] === undefined)).toBe(true);
});
