import { request } from 'node:http';
import type { FastifyReply } from 'fastify';
import { expect, it } from 'vitest';
import { callerOf } from '../../../../src/api/http/caller.js';
import { createHttpServer } from '../../../../src/api/http/server.js';
import { deferred } from '../../../../src/lib/async.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { freePort } from '../../../support/ports.js';

it('a caller who goes is known to have gone, also one who went before anybody asked', async () => {
  const called = deferred<() => AbortSignal>();
  const server = await createHttpServer({
    routes: [
      {
        operation: 'Wait',
        methods: ['GET'],
        path: '/wait',
        versions: ['v1.0'],
        group: 'state',
        handle: (_: unknown, reply: FastifyReply) => {
          called.resolve(callerOf(reply));
          return new Promise(() => {});
        },
      },
    ],
    fallback: () => Promise.resolve(),
    maxBodyBytes: 1000,
    logger: silentLogger,
  } as never);
  const port = await freePort();
  await new Promise<void>((resolve) => server.server.listen(port, '127.0.0.1', resolve));
  const call = request({ host: '127.0.0.1', port, path: '/v1.0/wait' }).on('error', () => {});
  call.end();
  const caller = await called.promise;
  const signal = caller();
  expect(signal.aborted).toBe(false);
  call.destroy();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(caller().aborted).toBe(true);
  await server.close(100);
});
