import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/**
 * Real processes (case S12): the process that serves the modules stops (SIGSTOP) while its Envoy lives. Calls are refused within the module's
 * timeout, the access rules hold, and all is well once it goes on.
 */

const TIMEOUT_MS = 500;
/** Longer than the module's timeout by what a busy machine may need. */
const DEADLINE_MS = 10_000;

let mesh: Mesh;
let caller: SidecarProcess;
let orders: SidecarProcess;

beforeAll(async () => {
  mesh = await createMesh();
  const { home } = mesh.world;
  const dir = join(home, 'orders');
  mkdirSync(dir);
  writeFileSync(join(dir, 'mark.mjs'), "export default { onRequestHeaders: () => ({ setHeaders: { 'x-mark': 'yes' } }) };\n");
  const module = {
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'mark' },
    spec: {
      type: 'middleware.http.extproc',
      version: 'v1',
      metadata: [
        { name: 'module', value: './mark.mjs' },
        { name: 'timeout', value: `${TIMEOUT_MS}ms` },
      ],
    },
  };
  writeFileSync(join(dir, 'all.yaml'), JSON.stringify(module));
  const policy = {
    appId: 'caller',
    namespace: 'default',
    trustDomain: 'public',
    defaultAction: 'deny',
    operations: [{ name: '/open', httpVerb: ['*'], action: 'allow' }],
  };
  const spec = {
    appHttpPipeline: { handlers: [{ name: 'mark', type: 'middleware.http.extproc' }] },
    accessControl: { defaultAction: 'deny', trustDomain: 'public', policies: [policy] },
  };
  const config = join(home, 'config.yaml');
  writeFileSync(config, JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'c' }, spec }));
  const appPort = await mesh.app((request, response) => response.end(String(request.headers['x-mark'])));
  orders = await mesh.sidecar({ appId: 'orders', appPort, args: ['--resources-path', dir, '--config', config] });
  caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), caller.ready()]);
}, 60_000);
afterAll(() => mesh?.close());

const ask = async (path: string) => {
  const answer = call(`${caller.api}/v1.0/invoke/orders/method${path}`);
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS).unref();
  });
  const { status, body } = await Promise.race([answer, late]);
  return { status, body };
};

it('refuses calls while the process is stopped, and serves again when it goes on', async () => {
  await eventually(async () => expect(await ask('/open')).toEqual({ status: 200, body: 'yes' }), 20_000);
  orders.cli.signal('SIGSTOP');
  try {
    const { status, body } = await ask('/open');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { errorCode: 'ERR_MIDDLEWARE', message: 'the middleware mark has failed; the call was not let through' },
    ]);
    expect((await ask('/closed')).status).toBe(403);
  } finally {
    orders.cli.signal('SIGCONT');
  }
  await eventually(async () => expect(await ask('/open')).toEqual({ status: 200, body: 'yes' }), 30_000);
  expect((await ask('/closed')).status).toBe(403);
  await orders.cli.until(/a middleware failed, and calls were refused.*middleware=mark/);
}, 90_000);
