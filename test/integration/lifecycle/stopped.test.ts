import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess, traffic } from '../../support/mesh.js';

/**
 * Real processes (case F6): one of two instances has a process that stops (SIGSTOP) and goes on later, under calls. With a timeout and
 * retries no call fails.
 */

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

it('its Envoy: the other instance answers', async () => {
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
