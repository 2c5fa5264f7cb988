import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { envoyAdmin } from '../../src/agent/envoy/admin.js';
import { sleep } from '../../src/lib/async.js';
import { eventually } from '../support/eventually.js';
import { CHAOS, createFeaturedMesh, type FeaturedMesh } from '../support/featured-mesh.js';
import type { SidecarProcess } from '../support/mesh.js';
import { startOpenLoop } from '../support/open-loop.js';

/** Everything on, requests at a fixed rate, and the control plane dies, stands still, and comes back knowing nothing. */

const STOPPED_MS = 10_000;
/** Longer than the control plane waits for instances to attach again. */
const SETTLED_MS = 5_000;

let mesh: FeaturedMesh;
let caller: SidecarProcess;
beforeEach(async () => {
  mesh = await createFeaturedMesh();
  const appPort = await mesh.app((request, response) => {
    request.resume();
    response.end('hello');
  });
  const orders = [await mesh.sidecar({ appId: 'orders', appPort }), await mesh.sidecar({ appId: 'orders', appPort })];
  caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([...orders, caller].map((sidecar) => sidecar.ready()));
  await eventually(async () => expect((await fetch(url())).status).toBe(200), 20_000);
});
afterEach(() => mesh.close());

const url = () => `${caller.api}/v1.0/invoke/orders/method/x`;

/** What each Envoy has, by the control plane's versions of it. */
async function held(): Promise<readonly string[]> {
  const run = join(mesh.world.home, 'run');
  const dumps = readdirSync(run).map(async (id) => {
    const admin = envoyAdmin(join(run, id, 'admin.sock'));
    const clusters = await admin.call('GET', '/config_dump?resource=dynamic_active_clusters');
    const { configs = [] } = JSON.parse(clusters.body) as { configs?: { cluster: { name: string } }[] };
    const stats = await admin.call('GET', '/stats?filter=^cluster_manager.cluster_removed$');
    return `${id} ${configs.map(({ cluster }) => cluster.name).sort()} ${stats.body.trim()}`;
  });
  return (await Promise.all(dumps)).sort();
}

async function survives(disturb: () => Promise<void>): Promise<void> {
  const before = await held();
  expect(before).toHaveLength(3);
  const load = startOpenLoop({ url: url(), perSecond: CHAOS.perSecond });
  await load.risen;
  await disturb();
  await sleep(SETTLED_MS);
  const { good, bad, p99Ms, worstMs } = await load.stop();
  console.info(`${good} good, ${bad.length} bad, p99 ${p99Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms`);
  expect(bad.slice(0, 10)).toEqual([]);
  expect(good).toBeGreaterThan(500);
  expect(await held()).toEqual(before);
}

it('killed, away for two seconds, and back with an empty memory', async () => {
  await survives(async () => {
    await mesh.killControlPlane();
    await sleep(2_000);
    await mesh.startControlPlane();
  });
  // And it still brings what changes.
  mesh.resource(
    'route.yaml',
    JSON.stringify({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'orders' },
      spec: {
        parentRefs: [{ kind: 'Service', group: '', name: 'orders' }],
        rules: [
          { filters: [{ type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-mark', value: 'new' }] } }] },
        ],
      },
    }),
  );
  await eventually(async () => expect((await fetch(url())).headers.get('x-mark')).toBe('new'));
});

it('stopped for ten seconds, longer than a lease, and continued', { timeout: 90_000 }, async () => {
  await survives(async () => {
    mesh.signalControlPlane('SIGSTOP');
    await sleep(STOPPED_MS);
    mesh.signalControlPlane('SIGCONT');
  });
});

it('killed and back three times in a row, before anybody can settle', { timeout: 90_000 }, async () => {
  await survives(async () => {
    for (let time = 0; time < 3; time += 1) {
      await mesh.killControlPlane();
      await mesh.startControlPlane();
    }
  });
});
