import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { apiGate } from '../../../src/agent/api-gate.js';
import { doorSides } from '../../../src/agent/door/sides.js';
import { createHttpServer } from '../../../src/api/http/server.js';
import { markDoor } from '../../../src/lib/door-mark.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { call } from '../../support/http-call.js';

let open: Server | undefined;
afterEach(() => {
  open?.closeAllConnections();
  open?.close();
});

const route = (path: string, group: 'state' | 'metadata' | 'healthz') =>
  ({ methods: ['GET', 'PUT'], versions: ['v1.0'], path, group, operation: 'X', handle: () => 'served' }) as const;

/** The API server behind the gate, its connections those of a door or of Envoy. */
async function serve(now: { known: boolean; pipeline: boolean }, door: boolean, pipelineFails = false) {
  const gate = apiGate({
    configuration: { known: () => now.known, hasPipeline: () => now.pipeline },
    pipeline: async (_request, response) => {
      if (pipelineFails) throw new Error('no listener');
      response.end('through the pipeline');
    },
    logger: silentLogger,
  });
  const { server } = await createHttpServer({
    routes: [
      route('/state/:store', 'state'),
      route('/metadata', 'metadata'),
      route('/healthz', 'healthz'),
      route('/healthz/outbound', 'healthz'),
    ],
    fallback: () => 'invoked',
    divert: gate,
    maxBodyBytes: 1000,
    logger: silentLogger,
  });
  open = server;
  if (door) server.prependListener('connection', markDoor);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return async (path: string, method = 'GET') => {
    const { status, body } = await call(`http://127.0.0.1:${port}${path}`, { method });
    return status === 200 ? body : `${status} ${JSON.parse(body).errorCode}`;
  };
}

describe.each([true, false])('before the configuration is known (a door’s connection: %s)', (door) => {
  it('serves health and metadata and nothing else', async () => {
    const now = { known: false, pipeline: false };
    const ask = await serve(now, door);
    for (const path of ['/v1.0/healthz', '/v1.0/healthz/outbound', '/v1.0/metadata']) expect(await ask(path)).toBe('served');
    const others: [string, string?][] = [
      ['/v1.0/state/a'],
      ['/v1.0/invoke/x/method/y'],
      ['/'],
      ['/v1.0/healthz', 'PUT'],
      ['/v1.0/metadata', 'PUT'],
    ];
    for (const [path, method] of [...others, ['/v1.0/metadata/../state/a'], ['/v1.0//healthz']] as [string, string?][])
      expect(await ask(path, method)).toBe('503 ERR_NOT_CONFIGURED');
    now.known = true;
    expect(await ask('/v1.0/state/a')).toBe('served');
    expect(await ask('/v1.0/invoke/x/method/y')).toBe('invoked');
  });
});

describe('with a pipeline', () => {
  const now = { known: true, pipeline: true };
  it('passes a door’s requests on to Envoy, all but health checks', async () => {
    const ask = await serve(now, true);
    for (const path of ['/v1.0/state/a', '/v1.0/metadata', '/v1.0/invoke/x/method/y', '/x'])
      expect(await ask(path)).toBe('through the pipeline');
    expect(await ask('/v1.0/healthz')).toBe('served');
  });
  it('serves what has come through it', async () => {
    expect(await (await serve(now, false))('/v1.0/state/a')).toBe('served');
  });
  it('serves nothing while Envoy has it not', async () => {
    expect(await (await serve(now, true, true))('/v1.0/state/a')).toBe('503 ERR_MIDDLEWARE');
  });
});

describe('whose a connection is', () => {
  const sides = (known: boolean, pipeline: boolean, blocked = false, apiLogging = false) => {
    const block = () => blocked;
    const { http, grpc } = doorSides({ apiLogging } as never, {
      known: () => known,
      hasPipeline: () => pipeline,
      blocked: { http: block, grpc: block },
    });
    return [http(), grpc()];
  };
  it.each([
    ['nothing is known', sides(false, false), ['node', 'node']],
    ['nothing is configured', sides(true, false), ['either', 'either']],
    ['there is a pipeline', sides(true, true), ['pipeline', 'node']],
    ['a list blocks what Envoy routes', sides(true, false, true), ['node', 'node']],
    ['there are both', sides(true, true, true), ['pipeline', 'node']],
    ['each call is logged', sides(true, true, false, true), ['node', 'node']],
  ])('when %s', (_about, found, expected) => {
    expect(found).toEqual(expected);
  });
});
