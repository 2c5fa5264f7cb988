import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MiddlewareModule } from '../../../src/blocks/middleware/middleware-module.js';
import { startExtProcServer } from '../../../src/extproc/server.js';
import { ExternalProcessorService, ProcessingResponse } from '../../../src/gen/envoy/service/ext_proc/v3/external_processor.js';
import { componentVersion } from '../../../src/model/middleware/pipeline.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { resourcesOf } from '../../support/resources.js';

/**
 * Real Envoys (case S12): whatever becomes of the middleware server, a call is refused, or with `failOpen` goes on, and the access
 * rules hold in both cases.
 */

const TRUST_DOMAIN = 'weft.test';
let rig: EnvoyRig;
let caller: RigSidecar;
let socket: string;
const closing: (() => void)[] = [];

const middleware = (name: string, failOpen: boolean) =>
  JSON.stringify({
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Component',
    metadata: { name },
    spec: {
      type: 'middleware.http.extproc',
      version: 'v1',
      metadata: [
        { name: 'module', value: '/not/read/here.mjs' },
        { name: 'failOpen', value: String(failOpen) },
        { name: 'timeout', value: '300ms' },
      ],
    },
  });
const RESOURCES = [middleware('strict', false), middleware('lenient', true), middleware('both-ways', false)].join('\n---\n');
const specs = (name: string) => ({
  orders: {
    appHttpPipeline: { handlers: [{ name, type: 'middleware.http.extproc' }] },
    accessControl: {
      defaultAction: 'deny',
      trustDomain: TRUST_DOMAIN,
      policies: [
        {
          appId: 'checkout',
          namespace: 'default',
          trustDomain: TRUST_DOMAIN,
          defaultAction: 'deny',
          operations: [{ name: '/open/**', httpVerb: ['*'], action: 'allow' }],
        },
      ],
    },
  },
});

beforeAll(async () => {
  rig = await createRig({ trustDomain: TRUST_DOMAIN, specs: specs('strict') });
  const { components } = await resourcesOf(RESOURCES);
  const all = ['request-body', 'request-headers', 'response-headers'];
  const told = components.map((it) => ({
    name: it.name,
    version: componentVersion(it),
    secretFiles: {},
    jwksUrl: '',
    phases: it.name === 'both-ways' ? all : ['request-headers'],
  }));
  await rig.update({ resources: RESOURCES });
  caller = await rig.add({ appId: 'checkout' });
  const callee = await rig.add({ appId: 'orders', middleware: told });
  socket = callee.instance.sockets?.extProc ?? '';
  await rig.update({});
});
const stopServing = () => {
  for (const close of closing.splice(0)) close();
  rmSync(socket, { force: true });
};
afterEach(stopServing);
afterAll(() => rig.close());

const send = (path: string, body?: string) =>
  call(`${caller.api}/v1.0/invoke/orders/method${path}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    ...(body === undefined ? {} : { body }),
  });

async function serve(module: MiddlewareModule | undefined): Promise<void> {
  const server = await startExtProcServer({ socket, moduleOf: () => module, logger: silentLogger });
  closing.push(server.close);
}

type Stream = ServerDuplexStream<unknown, ProcessingResponse>;
/** A server of which nothing is ours. */
async function serveRaw(onMessage: (call: Stream) => void): Promise<void> {
  const server = new Server();
  server.addService(ExternalProcessorService, {
    process: (stream: Stream) => stream.on('error', () => {}).on('data', () => onMessage(stream)),
  } as never);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  closing.push(() => server.forceShutdown());
}
async function serveBytes(bytes: Buffer | undefined): Promise<void> {
  const clients = new Set<Socket>();
  const server: NetServer = createServer((client) => {
    clients.add(client.on('error', () => {}));
    if (bytes) client.write(bytes);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  closing.push(() => {
    server.close();
    for (const client of clients) client.destroy();
  });
}

const message = (response: ProcessingResponse['response']) => ProcessingResponse.fromPartial({ response } as never);
const goOn = message({ $case: 'requestHeaders', value: { response: undefined } });

const mutation = (headerMutation: object) =>
  message({ $case: 'requestHeaders', value: { response: { headerMutation } } } as never);
const setting = (key: string) => mutation({ setHeaders: [{ header: { key, rawValue: Buffer.from('x') } }] });

const faults: [string, () => Promise<void>][] = [
  ['there is no server', async () => {}],
  ['nobody may open its socket', async () => serve({}).then(() => chmodSync(socket, 0))],
  ['it says nothing at all', () => serveBytes(undefined)],
  ['it speaks another protocol', () => serveBytes(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))],
  ['it knows no such middleware', () => serve(undefined)],
  [
    'a handler throws',
    () =>
      serve({
        onRequestHeaders: () => {
          throw new Error('broken');
        },
      }),
  ],
  ['a handler rejects', () => serve({ onRequestHeaders: async () => Promise.reject(new Error('broken')) })],
  ['a handler never ends', () => serve({ onRequestHeaders: () => new Promise<undefined>(() => {}) })],
  ['a handler answers nonsense', () => serve({ onRequestHeaders: () => ({ set: { a: 'b' } }) as never })],
  [
    'a handler sets a header that is ours',
    () => serve({ onRequestHeaders: () => ({ setHeaders: { 'dapr-caller-app-id': 'admin' } }) }),
  ],
  [
    'it answers another question',
    () => serveRaw((stream) => stream.write(message({ $case: 'responseHeaders', value: { response: undefined } }))),
  ],
  ['it answers nothing', () => serveRaw((stream) => stream.write(message(undefined)))],
  ['it ends the stream with an error', () => serveRaw((stream) => void stream.emit('error', { code: 13, details: 'no' }))],
];

/** Changes that Envoy forbids. Our own server never lets them out; whoever else speaks there is refused, `failOpen` or not. */
const forbidden: [string, () => Promise<void>][] = [
  ['it changes who calls', () => serveRaw((stream) => stream.write(setting('dapr-caller-app-id')))],
  ['it sets what is no header', () => serveRaw((stream) => stream.write(setting('a b')))],
  ['it removes the path', () => serveRaw((stream) => stream.write(mutation({ removeHeaders: [':path'] })))],
];

// Root may open every socket, so a mode hides none from it.
const possible = faults.filter(([about]) => !(process.getuid?.() === 0 && about.startsWith('nobody')));

// A Node server ends an HTTP/2 connection on which a thousand calls were reset in short time, with every call on it (issue #4).
it('lets thousands of calls pass, one soon after the other', async () => {
  await serve({ onRequestHeaders: () => ({}) });
  await eventually(async () => expect((await send('/open/x')).status).toBe(200));
  const failed: number[] = [];
  const some = async () => {
    for (let i = 0; i < 300; i++) {
      const { status } = await send('/open/x');
      if (status !== 200) failed.push(status);
    }
  };
  await Promise.all(Array.from({ length: 12 }, some));
  expect(failed).toEqual([]);
}, 60_000);

describe.each([
  ['strict', 503],
  ['lenient', 200],
])('with a %s middleware', (name, expected) => {
  beforeAll(async () => {
    await rig.update({ specs: specs(name) });
    await serve({ onRequestHeaders: () => ({ respond: { status: 418, headers: { 'x-by': name } } }) });
    // The callers' open connections have the filters from before until they have drained.
    await eventually(async () => expect((await send('/open/x')).status).toBe(418));
    stopServing();
  });

  it.each(possible)('when %s: as configured, and the access rules hold', async (_about, cause) => {
    await cause();
    const answer = await eventually(async () => {
      const given = await send('/open/x');
      expect(given.status).toBe(expected);
      return given;
    });
    if (answer.status === 503)
      expect(JSON.parse(answer.body)).toEqual({
        errorCode: 'ERR_MIDDLEWARE',
        message: 'the middleware strict has failed; the call was not let through',
      });
    if (answer.status === 200) expect(JSON.parse(answer.body).headers['dapr-caller-app-id']).toBe('checkout');
    expect((await send('/closed/x')).status).toBe(403);
  });

  it.each(forbidden)('when %s: refused', async (_about, cause) => {
    await cause();
    const { body } = await eventually(async () => {
      const given = await send('/open/x');
      expect(given.status).toBe(503);
      return given;
    });
    expect(JSON.parse(body).errorCode).toBe('ERR_MIDDLEWARE');
  });

  it('when the server is killed and comes back: refused or let through meanwhile, then served', async () => {
    await serve({ onRequestHeaders: () => ({ setHeaders: { 'x-seen': 'yes' } }) });
    await eventually(async () => expect(JSON.parse((await send('/open/x')).body).headers['x-seen']).toBe('yes'));
    stopServing();
    await eventually(async () => expect((await send('/open/x')).status).toBe(expected));
    await serve({ onRequestHeaders: () => ({ setHeaders: { 'x-seen': 'again' } }) });
    await eventually(async () => expect(JSON.parse((await send('/open/x')).body).headers['x-seen']).toBe('again'));
  });

  it('when an answer comes late or twice: no harm to the next call', async () => {
    await serveRaw((stream) => {
      stream.write(goOn);
      stream.write(goOn);
    });
    const statuses = new Set<number>();
    for (let i = 0; i < 5; i += 1) statuses.add((await send('/open/x')).status);
    expect([...statuses].every((status) => status === 200 || status === expected)).toBe(true);
    expect((await send('/closed/x')).status).toBe(403);
  });
});

describe('a module', () => {
  beforeAll(async () => {
    await rig.update({ specs: specs('both-ways') });
    await serve({ onRequestHeaders: () => ({ respond: { status: 419 } }) });
    await eventually(async () => expect((await send('/open/x')).status).toBe(419));
    stopServing();
  });

  it('sees request and answer, changes both, and what it does not touch stays', async () => {
    await serve({
      onRequestHeaders: ({ method, path, headers }) => ({
        setHeaders: { 'x-saw': `${method} ${path} ${headers.host !== undefined}` },
        removeHeaders: ['content-language'],
      }),
      onRequestBody: ({ body, path }) => ({ body: `${path} ${body.toString().toUpperCase()}` }),
      onResponseHeaders: ({ status, request }) => ({ status: 201, setHeaders: { 'x-was': `${status} ${request?.method}` } }),
    });
    const { status, headers, body } = await eventually(async () => {
      const answer = await send('/open/x?y', 'quiet');
      expect(answer.status).toBe(201);
      return answer;
    });
    expect([status, headers['x-was'], JSON.parse(body).headers['x-saw']]).toEqual([201, '200 POST', 'POST /open/x?y true']);
    expect(JSON.parse(body).headers['content-length']).toBe(String('/open/x?y QUIET'.length));
  });

  it('gets no body above the limit: 413', async () => {
    await serve({ onRequestHeaders: () => undefined, onRequestBody: () => undefined });
    await eventually(async () => expect((await send('/open/x', 'small')).status).toBe(200));
    expect((await send('/open/x', 'x'.repeat(400 * 1024))).status).toBe(413);
  });

  it('is asked nothing about calls that the access rules refuse, but how they are answered', async () => {
    const asked: string[] = [];
    await serve({
      onRequestHeaders: ({ path }) => void asked.push(path) as undefined,
      onResponseHeaders: ({ status, request }) => void asked.push(`${status} ${request?.path}`) as undefined,
    });
    await eventually(async () => expect((await send('/open/x')).status).toBe(200));
    asked.length = 0;
    expect((await send('/closed/x')).status).toBe(403);
    expect((await send('/open/../closed/x')).status).toBe(403);
    expect(asked).toEqual(['403 undefined', '403 undefined']);
  });

  it('cannot make a refused call pass by failing', async () => {
    await serve({
      onResponseHeaders: () => {
        throw new Error('broken');
      },
    });
    expect([403, 503]).toContain((await send('/closed/x')).status);
  });

  it('outlives calls whose client goes away', async () => {
    const waiting: (() => void)[] = [];
    await serve({
      onRequestHeaders: ({ path }) =>
        path.endsWith('wait') ? new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined))) : undefined,
    });
    await eventually(async () => expect((await send('/open/x')).status).toBe(200));
    const { request } = await import('node:http');
    const { hostname, port } = new URL(caller.api);
    const outgoing = request({ hostname, port, path: '/v1.0/invoke/orders/method/open/wait', agent: false });
    outgoing.on('error', () => {});
    outgoing.end();
    await eventually(() => expect(waiting.length).toBe(1));
    outgoing.destroy();
    for (const resolve of waiting) resolve();
    expect((await send('/open/x')).status).toBe(200);
  });
});
