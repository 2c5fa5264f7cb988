import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess, traffic } from '../../support/mesh.js';

/**
 * Real processes (case F6): one of two instances has a process that stops (SIGSTOP) and goes on later, under calls. With a timeout and
 * retries no call fails; without them those that were under way there.
 */

const CALLERS = 3;
let mesh: Mesh;
let caller: SidecarProcess;
let first: SidecarProcess;

beforeAll(async () => {
  mesh = await createMesh();
  const dir = join(mesh.world.home, 'caller');
  mkdirSync(dir);
  const policies = {
    timeouts: { short: '1s' },
    retries: { often: { policy: 'constant', duration: '100ms', maxRetries: 5 } },
  };
  const resiliency = {
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Resiliency',
    metadata: { name: 'r' },
    spec: { policies, targets: { apps: { orders: { timeout: 'short', retry: 'often' } } } },
  };
  writeFileSync(join(dir, 'resiliency.yaml'), JSON.stringify(resiliency));
  const app = (name: string) => mesh.app((_, response) => response.end(name));
  first = await mesh.sidecar({ appId: 'orders', appPort: await app('first') });
  const second = await mesh.sidecar({ appId: 'orders', appPort: await app('second') });
  caller = await mesh.sidecar({ appId: 'caller', args: ['--resources-path', dir] });
  await Promise.all([first, second, caller].map((it) => it.ready()));
}, 60_000);
afterAll(() => mesh?.close());

const url = () => `${caller.api}/v1.0/invoke/orders/method/x`;
const bothAnswer = () =>
  eventually(async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 10; i += 1) seen.add(await (await fetch(url())).text());
    expect([...seen].sort()).toEqual(['first', 'second']);
  }, 30_000);
const instances = async () => ((await mesh.world.run(['list'])).text.match(/^orders\b/gm) ?? []).length;

it('the sidecar’s own process: calls never pass it, and its instance comes back', async () => {
  await bothAnswer();
  const calls = traffic(url());
  first.cli.signal('SIGSTOP');
  try {
    // Longer than its lease.
    await eventually(async () => expect(await instances()).toBe(1), 30_000);
  } finally {
    first.cli.signal('SIGCONT');
  }
  await eventually(async () => expect(await instances()).toBe(2), 30_000);
  const { good, bad } = await calls.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(0);
  await bothAnswer();
}, 120_000);

it('its Envoy: calls wait for it once, then the other instance answers all of them until it is back', async () => {
  await bothAnswer();
  const [envoy = 0] = first.envoys();
  expect(envoy).toBeGreaterThan(0);
  process.kill(envoy, 'SIGSTOP');
  try {
    for (let i = 0; i < 6; i += 1) {
      const answer = await fetch(url(), { signal: AbortSignal.timeout(20_000) });
      expect([answer.status, await answer.text()]).toEqual([200, 'second']);
    }
  } finally {
    process.kill(envoy, 'SIGCONT');
  }
  await bothAnswer();
}, 120_000);

it('its Envoy, and callers without any policy: its sidecar sees it, leaves the endpoints and comes back', async () => {
  const app = (name: string) => mesh.app((_, response) => response.end(name));
  const stopped = await mesh.sidecar({ appId: 'plain', appPort: await app('stopped'), door: 'service' });
  const other = await mesh.sidecar({ appId: 'plain', appPort: await app('other') });
  await Promise.all([stopped.ready(), other.ready()]);
  const plain = `${caller.api}/v1.0/invoke/plain/method/x`;
  const answers = async (count: number) => {
    const seen = new Set<string>();
    for (let i = 0; i < count; i += 1) {
      const answer = await fetch(plain, { signal: AbortSignal.timeout(30_000) });
      seen.add(`${answer.status} ${await answer.text()}`);
    }
    return [...seen].sort();
  };
  const both = () => eventually(async () => expect(await answers(10)).toEqual(['200 other', '200 stopped']), 30_000);
  const health = async () => {
    const answer = await fetch(`${stopped.api}/v1.0/healthz`);
    return `${answer.status} ${await answer.text()}`;
  };
  const listed = async () => (await mesh.world.run(['list'])).text;
  await both();
  const [envoy = 0] = stopped.envoys();
  const load = traffic(plain, CALLERS);
  process.kill(envoy, 'SIGSTOP');
  try {
    await eventually(async () => expect(await listed()).toMatch(/^plain +envoy-silent/m), 30_000);
    // No call is sent there any more, and those that were end with their connection.
    expect(await answers(50)).toEqual(['200 other']);
    const { good, bad } = await load.stop();
    // Whether the app has had them nobody knows, so they are not tried again: one for each caller, no more.
    expect(bad.length).toBeLessThanOrEqual(CALLERS);
    for (const text of bad) expect(text).toMatch(/^500 .*ERR_DIRECT_INVOKE.*connection termination/);
    expect(good).toBeGreaterThan(0);
    expect(await health()).toMatch(/^5\d\d .*Envoy does not answer/);
    expect(stopped.cli.text()).toMatch(/Envoy does not answer: other sidecars send nothing here until it does/);
  } finally {
    process.kill(envoy, 'SIGCONT');
  }
  await stopped.ready();
  await both();
  expect(await listed()).not.toMatch(/envoy-silent/);
  expect(stopped.envoys()).toEqual([envoy]);
}, 120_000);

it('an Envoy that never goes on is killed, and another one takes its place', async () => {
  const lone = await mesh.sidecar({ appId: 'lone', appPort: await mesh.app((_, response) => response.end('lone')) });
  await lone.ready();
  const [envoy = 0] = lone.envoys();
  process.kill(envoy, 'SIGSTOP');
  await eventually(async () => expect((await mesh.world.run(['list'])).text).toMatch(/^lone +envoy-silent/m), 30_000);
  // Nobody waits for a timeout: there is no instance to call.
  const refused = await fetch(`${caller.api}/v1.0/invoke/lone/method/x`, { signal: AbortSignal.timeout(20_000) });
  expect(refused.status).toBe(500);
  expect(await refused.json()).toMatchObject({ errorCode: 'ERR_DIRECT_INVOKE' });
  await lone.cli.until(/Envoy still does not answer: it is killed and started again/, 60_000);
  await lone.ready();
  expect(lone.envoys()).not.toContain(envoy);
  await eventually(async () => {
    const answer = await fetch(`${caller.api}/v1.0/invoke/lone/method/x`);
    expect([answer.status, await answer.text()]).toEqual([200, 'lone']);
  });
}, 120_000);
