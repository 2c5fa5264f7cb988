import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** A pipeline comes, changes and goes while calls are made: none of them may fail for it. */

const EXAMPLE = resolve(import.meta.dirname, '../../../examples/middleware/components/add-header.ts');
const ROUNDS = 3;
/** Calls of each caller after each change. */
const SOME = 10;

let mesh: Mesh;
let config: string;
const sidecars = new Map<string, SidecarProcess>();

const component = (name: string, type: string, metadata: Record<string, unknown> = {}) => ({
  apiVersion: 'dapr.io/v1alpha1',
  kind: 'Component',
  metadata: { name },
  spec: { type, version: 'v1', metadata: Object.entries(metadata).map(([key, value]) => ({ name: key, value })) },
});
const pipeline = (...handlers: string[]) => ({
  httpPipeline: {
    handlers: handlers.map((it) => {
      const [name, type] = it.split('=');
      return { name, type: `middleware.http.${type}` };
    }),
  },
});

/** In one step, so that nobody reads half of it. */
function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
const configure = (spec: object) =>
  write(config, JSON.stringify({ apiVersion: 'dapr.io/v1alpha1', kind: 'Configuration', metadata: { name: 'c' }, spec }));

beforeAll(async () => {
  mesh = await createMesh();
  const resources = join(mesh.world.home, 'resources');
  mkdirSync(resources);
  config = join(mesh.world.home, 'config.yaml');
  const all = [
    component('store', 'state.in-memory'),
    component('limit', 'middleware.http.ratelimit', { maxRequestsPerSecond: 1_000_000 }),
    component('mine', 'middleware.http.extproc', { module: EXAMPLE }),
  ];
  write(join(resources, 'all.yaml'), all.map((it) => JSON.stringify(it)).join('\n---\n'));
  configure({});
  const appPort = await mesh.app((_request, response) => void response.end('hello'));
  const other = await mesh.sidecar({ appId: 'other', appPort });
  const args = ['--resources-path', resources, '--config', config];
  for (const door of ['envoy', 'service'] as const)
    sidecars.set(door, await mesh.sidecar({ appId: `orders-${door}`, appPort, door, args }));
  sidecars.set('seen', await mesh.sidecar({ appId: 'orders-seen', appPort, args: [...args, '--allowed-origins', '*'] }));
  await Promise.all([other, ...sidecars.values()].map((sidecar) => sidecar.ready()));
});
afterAll(() => mesh.close());

const headers = { 'x-tenant': 'acme' };

/** Calls one after the other until it is stopped. */
function calls(url: string, keepAlive: boolean) {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  const bad: string[] = [];
  let made = 0;
  let running = true;
  const one = () =>
    new Promise<string>((done) => {
      const request = get(url, { agent, headers, timeout: 10_000 }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => done([200, 204].includes(response.statusCode ?? 0) ? '' : `${response.statusCode} ${body}`));
        response.on('error', (error) => done(String(error)));
      });
      request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
      request.on('error', (error) => done(String(error)));
    });
  const worker = (async () => {
    while (running) {
      const problem = await one();
      made += 1;
      if (problem !== '') bad.push(`${new URL(url).pathname} on a ${keepAlive ? 'kept' : 'new'} connection: ${problem}`);
    }
  })();
  return {
    made: () => made,
    async stop() {
      running = false;
      await worker;
      agent.destroy();
      return bad;
    },
  };
}

const STORE = '/v1.0/state/store/key';
const BY_NAME = '/v1.0/invoke/other/method/x';

// Calls by name are not parsed on the service door: those under way end when a first rule comes, so that none goes around it (doors.ts).
it.each([
  ['envoy', [STORE, BY_NAME]],
  ['service', [STORE]],
  ['seen', [STORE, BY_NAME]],
])('the %s door fails no call for a changed pipeline', { timeout: 120_000 }, async (door, paths) => {
  const { api } = sidecars.get(door) as SidecarProcess;
  const seenBy = async () => (await call(api + STORE, { headers })).headers['x-seen-by'];
  const running = paths.flatMap((path) => [true, false].map((kept) => calls(api + path, kept)));
  const someMore = async () => {
    const before = running.map(({ made }) => made());
    await eventually(async () => expect(running.every(({ made }, at) => made() >= (before[at] ?? 0) + SOME)).toBe(true));
  };
  const steps = [pipeline('limit=ratelimit'), pipeline('limit=ratelimit', 'mine=extproc'), {}, pipeline('mine=extproc'), {}];
  for (let round = 0; round < ROUNDS; round += 1)
    for (const spec of steps) {
      configure(spec);
      const expected = JSON.stringify(spec).includes('mine') ? 'add-header.ts' : undefined;
      await eventually(async () => expect(await seenBy()).toBe(expected));
      await someMore();
    }
  expect((await Promise.all(running.map(({ stop }) => stop()))).flat()).toEqual([]);
});
