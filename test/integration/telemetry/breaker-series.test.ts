import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { scrape, sumOf } from '../../support/series.js';

/** A breaker between apps is Envoy's, and so are the counters that its series come from. */

const RESILIENCY = `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: firm }
spec:
  policies: { circuitBreakers: { fuse: { trip: consecutiveFailures > 2, timeout: 1s } } }
  targets: { apps: { worker: { circuitBreaker: fuse } } }
`;
let mesh: Mesh;
let shop: SidecarProcess;
let port: number;
let healthy = false;

beforeAll(async () => {
  mesh = await createMesh();
  const resources = join(mesh.world.home, 'own');
  mkdirSync(resources);
  writeFileSync(join(resources, 'resiliency.yaml'), RESILIENCY);
  port = await mesh.world.port();
  const appPort = await mesh.app((_request, response) => response.writeHead(healthy ? 200 : 500).end());
  const worker = await mesh.sidecar({ appId: 'worker', appPort });
  shop = await mesh.sidecar({ appId: 'shop', args: ['--resources-path', resources, '--metrics-port', String(port)] });
  await Promise.all([worker.ready(), shop.ready()]);
}, 60_000);
afterAll(() => mesh?.close());

const call = async () => (await fetch(`${shop.api}/v1.0/invoke/worker/method/x`)).status;
const target = { name: 'firm', policy: 'circuitbreaker', flow_direction: 'outbound', target: 'app_worker' };

it('is seen to open, to hold calls back, and to close', async () => {
  await eventually(async () => {
    await call();
    const samples = await scrape(port);
    expect(sumOf(samples, 'dapr_resiliency_cb_state', { ...target, status: 'open' })).toBe(2);
    expect(sumOf(samples, 'dapr_resiliency_cb_state', { ...target, status: 'closed' })).toBeUndefined();
    expect(sumOf(samples, 'dapr_resiliency_activations_total', target)).toBeGreaterThan(0);
    expect(sumOf(samples, 'dapr_resiliency_count', { ...target, status: 'open' })).toBeGreaterThan(0);
  }, 15_000);
  healthy = true;
  await eventually(async () => {
    expect(await call()).toBe(200);
    expect(sumOf(await scrape(port), 'dapr_resiliency_cb_state', { ...target, status: 'closed' })).toBe(0);
  }, 15_000);
}, 45_000);
