import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpChannel } from '../../../../src/blocks/app/http-channel.js';
import { createRelay } from '../../../../src/blocks/invoke/relay.js';
import { HTTPExtension_Verb, type InvokeRequest, type InvokeResponse } from '../../../../src/gen/dapr/proto/common/v1/common.js';
import { AppCallbackService } from '../../../../src/gen/dapr/proto/runtime/v1/appcallback.js';
import { DaprClient } from '../../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { Status } from '../../../../src/gen/google/rpc/status.js';
import { ActorMesh, type MeshHost } from '../../../support/actor-mesh.js';
import { type AppReply, type AppRequest, startHttpApp, type TestHttpApp } from '../../../support/http-app.js';

let mesh: ActorMesh;
let app: TestHttpApp;
let answer: (request: AppRequest) => AppReply;
let http: MeshHost;
let grpcApp: Server;
let onInvoke: (request: InvokeRequest, metadata: Metadata) => InvokeResponse;
let seen: { request: InvokeRequest; metadata: Metadata }[];

beforeEach(async () => {
  answer = () => ({ body: 'done' });
  app = await startHttpApp((request) => (request.url === '/dapr/config' ? { status: 404 } : answer(request)));
  seen = [];
  onInvoke = ({ data }) => ({ data, contentType: 'text/plain' });
  grpcApp = new Server();
  grpcApp.addService(AppCallbackService, {
    onInvoke: (call: { request: InvokeRequest; metadata: Metadata }, done: (error: unknown, value?: InvokeResponse) => void) => {
      seen.push({ request: call.request, metadata: call.metadata });
      try {
        done(null, onInvoke(call.request, call.metadata));
      } catch (error) {
        done(error);
      }
    },
  } as never);
  const port = await new Promise<number>((resolve, reject) =>
    grpcApp.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  mesh = new ActorMesh();
  http = await mesh.add({ name: 'h1', appId: 'web', app: app.origin });
  await mesh.add({ name: 'g1', appId: 'rpc', app: `127.0.0.1:${port}` });
  app.seen.length = 0;
});

afterEach(async () => {
  grpcApp.forceShutdown();
  await mesh.close();
  await app.close();
});

test.each(['/v1.0/invoke/nobody/method/x', '/v1.0/invoke/nobody/method'])(
  'an unknown app (%s) is an error at once',
  async (path) => {
    const reply = await fetch(`${http.api}${path}`);
    expect([reply.status, await reply.json()]).toEqual([
      500,
      { errorCode: 'ERR_DIRECT_INVOKE', message: "failed to invoke, id: nobody, err: couldn't find service: nobody" },
    ]);
  },
);

test.each(['/nothing', '/v1.0/nothing', '/v1.0/invoke/web/x'])('a path without a target (%s) is not found', async (path) => {
  const reply = await fetch(`${http.api}${path}`, { method: 'PATCH' });
  expect([reply.status, ((await reply.json()) as { errorCode: string }).errorCode]).toEqual([404, 'ERR_DIRECT_INVOKE']);
});

test("a call on a door connection is handed on with verb, query, headers and body, and its answer is the app's own", async () => {
  answer = () => ({ status: 418, headers: { 'x-answer': 'yes' }, body: 'teapot' });
  const reply = await fetch(`${http.api}/v1.0/invoke/web/method/orders/1?q=ü`, {
    method: 'PATCH',
    body: 'payload',
    headers: { 'x-custom': 'kept', 'x-weft-to': 'app-callback', 'content-type': 'application/x-own' },
  });
  expect([reply.status, reply.headers.get('x-answer'), await reply.text()]).toEqual([418, 'yes', 'teapot']);
  expect(app.seen[0]).toMatchObject({ method: 'PATCH', url: '/orders/1?q=%C3%BC', body: 'payload' });
  expect(app.seen[0]?.headers).toMatchObject({ 'x-custom': 'kept', 'content-type': 'application/x-own' });
  expect(app.seen[0]?.headers).not.toHaveProperty('x-weft-to');
});

test('headers that Connection nominates do not travel on', async () => {
  const options = {
    method: 'GET',
    path: '/v1.0/invoke/web/method/x',
    headers: { connection: 'x-hop', 'x-hop': '1', 'x-keep': '2' },
  };
  await new Promise<void>((resolve, reject) =>
    httpRequest(http.api, options, (reply) => reply.resume().on('end', resolve))
      .on('error', reject)
      .end(),
  );
  expect(app.seen[0]?.headers['x-keep']).toBe('2');
  expect(app.seen[0]?.headers).not.toHaveProperty('x-hop');
});

test('when Envoy cannot be reached the caller is told which app could not be called', async () => {
  const loopback = createHttpChannel({ origin: 'http://localhost', socketPath: '/nonexistent/loop.sock' });
  const request = { method: 'GET', url: '/x', headers: {} } as IncomingMessage;
  const response = { once: () => {} } as unknown as ServerResponse;
  const relayed = createRelay(loopback)(request, response, { target: 'web' });
  await expect(relayed).rejects.toThrow('failed to invoke, id: web, err: ');
  await loopback.close();
});

test('an HTTP call reaches a gRPC app through OnInvoke', async () => {
  onInvoke = () => ({ data: { typeUrl: '', value: Buffer.from('{"ok":true}') }, contentType: 'application/json' });
  const reply = await fetch(`${http.api}/v1.0/invoke/rpc/method/orders/1?q=1`, {
    method: 'PUT',
    body: '{"n":1}',
    headers: { 'content-type': 'application/json', 'x-custom': 'kept', accept: 'text/x' },
  });
  expect([reply.status, reply.headers.get('content-type'), await reply.text()]).toEqual([200, 'application/json', '{"ok":true}']);
  const [{ request, metadata }] = seen as [(typeof seen)[number]];
  expect(request).toMatchObject({
    method: 'orders/1',
    contentType: 'application/json',
    httpExtension: { verb: HTTPExtension_Verb.PUT, querystring: 'q=1' },
  });
  expect(request.data?.value.toString()).toBe('{"n":1}');
  expect(metadata.get('x-custom')).toEqual(['kept']);
  expect(metadata.get('dapr-accept')).toEqual(['text/x']);
  expect(metadata.get('dapr-content-type')).toEqual(['application/json']);
  expect(metadata.get('dapr-caller-app-id')).toEqual(['h1']);
  expect(metadata.get('x-weft-to')).toEqual([]);
});

test("a method of a gRPC app may be named like a route of the API, and is still the app's", async () => {
  const reply = await fetch(`${http.api}/v1.0/invoke/rpc/method/v1.0/actors/Counter/a/state/k`);
  expect(reply.status).toBe(200);
  expect(seen[0]?.request.method).toBe('v1.0/actors/Counter/a/state/k');
});

test('the status of a gRPC app becomes the mapped HTTP code with the status as body', async () => {
  onInvoke = () => {
    throw { code: status.FAILED_PRECONDITION, details: 'not yet' };
  };
  const reply = await fetch(`${http.api}/v1.0/invoke/rpc/method/x`);
  expect([reply.status, await reply.json()]).toEqual([400, { code: 9, message: 'not yet' }]);
});

interface Answer {
  readonly error: ServiceError | undefined;
  readonly response: InvokeResponse | undefined;
  readonly headers: Metadata;
}

function invokeService(id: string, message: Partial<InvokeRequest>, metadata = new Metadata()): Promise<Answer> {
  const client = new DaprClient(http.grpc, credentials.createInsecure());
  return new Promise((resolve) => {
    let headers = new Metadata();
    const call = client.invokeService(
      { id, message: { method: '', contentType: '', ...message } },
      metadata,
      (error, response) => {
        setImmediate(() => {
          client.close();
          resolve({ error: error ?? undefined, response, headers });
        });
      },
    );
    call.on('metadata', (received) => {
      headers = received;
    });
  });
}

test('InvokeService calls an HTTP app and gives its headers back', async () => {
  answer = () => ({ headers: { 'content-type': 'text/x', 'x-answer': 'yes' }, body: 'hello' });
  const metadata = new Metadata();
  metadata.set('x-custom', 'kept');
  metadata.set('dapr-app-id', 'rpc');
  const { error, response, headers } = await invokeService(
    'web',
    {
      method: 'orders/1',
      contentType: 'application/json',
      data: { typeUrl: '', value: Buffer.from('{}') },
      httpExtension: { verb: HTTPExtension_Verb.DELETE, querystring: 'q=1' },
    },
    metadata,
  );
  expect(error).toBeUndefined();
  expect([response?.contentType, response?.data?.value.toString()]).toEqual(['text/x', 'hello']);
  expect(headers.get('dapr-http-status')).toEqual(['200']);
  expect(headers.get('x-answer')).toEqual(['yes']);
  expect(headers.get('dapr-content-type')).toEqual(['text/x']);
  expect(app.seen[0]).toMatchObject({ method: 'DELETE', url: '/orders/1?q=1', body: '{}' });
  expect(app.seen[0]?.headers).toMatchObject({ 'x-custom': 'kept', 'content-type': 'application/json' });
});

test.each([
  [400, status.INTERNAL, 'Bad Request'],
  [404, status.NOT_FOUND, 'Not Found'],
  [409, status.ALREADY_EXISTS, 'Conflict'],
  [418, status.UNKNOWN, "I'm a Teapot"],
  [503, status.UNAVAILABLE, 'Service Unavailable'],
])('an HTTP app that answers %i is gRPC status %i', async (code, expected, text) => {
  answer = () => ({ status: code, body: 'why' });
  const { error, headers } = await invokeService('web', { method: 'x' });
  expect([error?.code, error?.details]).toEqual([expected, text]);
  expect(headers.get('dapr-http-status')).toEqual([String(code)]);
  const [encoded] = error?.metadata.get('grpc-status-details-bin') ?? [];
  const [detail] = Status.decode(encoded as Buffer).details;
  expect(detail?.typeUrl).toBe('type.googleapis.com/google.rpc.ErrorInfo');
  expect(detail?.value.toString()).toContain('http.error_message');
});

test("InvokeService keeps a gRPC app's status, message and typed data", async () => {
  const data = { typeUrl: 'type.googleapis.com/shop.Order', value: Buffer.from([8, 1]) };
  const { response, headers } = await invokeService('rpc', { method: 'x', data });
  expect(response?.data).toEqual(data);
  expect(headers.get('dapr-http-status')).toEqual([]);
  onInvoke = () => {
    throw { code: status.OUT_OF_RANGE, details: 'tür 5' };
  };
  const { error } = await invokeService('rpc', { method: 'x' });
  expect([error?.code, error?.details]).toEqual([status.OUT_OF_RANGE, 'tür 5']);
});

test('InvokeService of an unknown app says that it was not found', async () => {
  const { error } = await invokeService('nobody', { method: 'x' });
  expect([error?.code, error?.details]).toEqual([
    status.INTERNAL,
    "failed to invoke, id: nobody, err: couldn't find service: nobody",
  ]);
});

test.each(['a#b', 'a?b', 'a\nb'])('InvokeService refuses the method %j', async (method) => {
  const { error } = await invokeService('web', { method });
  expect(error?.code).toBe(status.INVALID_ARGUMENT);
  expect(app.seen.length).toBe(0);
});

test.each(['../../../v1.0/actors/Counter/a/state/k', '%2e%2e/%2E%2e/x', 'a/../../b'])(
  'InvokeService with the method %j stays below the app',
  async (method) => {
    await invokeService('web', { method, httpExtension: { verb: HTTPExtension_Verb.GET, querystring: '' } });
    expect(app.seen.length).toBe(1);
    expect(app.seen[0]?.url).not.toMatch(/\.\.|%2e/i);
  },
);
