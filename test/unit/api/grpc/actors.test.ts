import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DaprClient } from '../../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { ActorMesh } from '../../../support/actor-mesh.js';
import { type AppReply, type AppRequest, startHttpApp, type TestHttpApp } from '../../../support/http-app.js';

let mesh: ActorMesh;
let app: TestHttpApp;
let client: DaprClient;
let answer: (request: AppRequest) => AppReply | Promise<AppReply>;

beforeEach(async () => {
  answer = () => ({ body: 'done' });
  app = await startHttpApp((request) =>
    request.url === '/dapr/config' ? { body: '{"entities":["Counter"]}' } : answer(request),
  );
  mesh = new ActorMesh();
  const host = await mesh.add({ name: 'h1', appId: 'counters', app: app.origin });
  await mesh.place('Counter', ['h1']);
  client = new DaprClient(host.grpc, credentials.createInsecure());
  app.seen.length = 0;
});

afterEach(async () => {
  client.close();
  await mesh.close();
  await app.close();
});

type Reply<T> = { readonly error?: ServiceError; readonly value?: T };
const call = <T>(start: (done: (error: ServiceError | null, value: T) => void) => unknown): Promise<Reply<T>> =>
  new Promise((resolve) => start((error, value) => resolve(error ? { error } : { value })));
const invoke = (actorType: string, actorId: string, method = 'add', metadata: Record<string, string> = {}) =>
  call<{ data: Buffer }>((done) =>
    client.invokeActor({ actorType, actorId, method, data: Buffer.from('{"n":1}'), metadata }, done),
  );
const write = (operationType: string, value = '7') =>
  call<object>((done) =>
    client.executeActorStateTransaction(
      {
        actorType: 'Counter',
        actorId: 'a',
        operations: [{ operationType, key: 'count', value: { typeUrl: '', value: Buffer.from(value) }, metadata: {} }],
      },
      done,
    ),
  );
const read = () =>
  call<{ data: Buffer }>((done) => client.getActorState({ actorType: 'Counter', actorId: 'a', key: 'count' }, done));

test('InvokeActor runs a turn with data and metadata as body and headers', async () => {
  const { value } = await invoke('Counter', 'a b', 'add', { 'x-custom': 'kept', Connection: 'close', 'bad name': 'x' });
  expect(value?.data.toString()).toBe('done');
  expect(app.seen[0]).toMatchObject({ method: 'PUT', url: '/actors/Counter/a%20b/method/add', body: '{"n":1}' });
  expect(app.seen[0]?.headers['x-custom']).toBe('kept');
});

test("an actor's own error is ordinary data", async () => {
  answer = () => ({ headers: { 'X-DaprErrorResponseHeader': 'true' }, body: 'domain error' });
  expect((await invoke('Counter', 'a')).value?.data.toString()).toBe('domain error');
});

test('an app that fails is Internal, with its status and body in the message', async () => {
  answer = () => ({ status: 500, body: 'broken' });
  const { error } = await invoke('Counter', 'a');
  expect([error?.code, error?.details]).toEqual([
    status.INTERNAL,
    'error invoke actor method: error from actor service: (500) broken',
  ]);
});

test('a type that nobody hosts has no address', async () => {
  const { error } = await invoke('Unknown', 'a');
  expect(error?.details).toContain('did not find address for actor Unknown/a');
});

test.each(['..', 'a/b', 'a#b', ''])('the id %j is refused before anything is called', async (id) => {
  expect((await invoke('Counter', id)).error?.code).toBe(status.INVALID_ARGUMENT);
  expect(app.seen.length).toBe(0);
});

test('state is written by an active actor and read back as it was', async () => {
  await invoke('Counter', 'a');
  expect((await write('upsert')).error).toBeUndefined();
  expect((await read()).value?.data.toString()).toBe('7');
  await write('delete');
  expect((await read()).value?.data.length).toBe(0);
});

test('an actor that is not active may not write', async () => {
  const { error } = await write('upsert');
  expect([error?.code, error?.details]).toEqual([status.INTERNAL, 'actor instance is missing']);
});

test('an unknown operation is not implemented', async () => {
  await invoke('Counter', 'a');
  expect((await write('merge')).error?.code).toBe(status.UNIMPLEMENTED);
});
