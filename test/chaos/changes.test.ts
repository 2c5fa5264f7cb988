import { afterEach, beforeEach, expect, it } from 'vitest';
import { sleep } from '../../src/lib/async.js';
import { eventually } from '../support/eventually.js';
import { CHAOS, createFeaturedMesh, type FeaturedMesh } from '../support/featured-mesh.js';
import type { SidecarProcess } from '../support/mesh.js';
import { startOpenLoop } from '../support/open-loop.js';

/** Everything on, requests at a fixed rate, and everything changes: no request may notice. */

const CHANGES = 20;
const BETWEEN_MS = 150;
const CALM = 20;
/** Of the failures: a thousand alike say no more. */
const SHOWN = 10;

let mesh: FeaturedMesh;
let caller: SidecarProcess;
let appPort: number;
beforeEach(async () => {
  mesh = await createFeaturedMesh();
  appPort = await mesh.app((request, response) => {
    request.resume();
    response.end('hello');
  });
  caller = await mesh.sidecar({ appId: 'caller' });
});
afterEach(() => mesh.close());

const url = () => `${caller.api}/v1.0/invoke/orders/method/x`;
const instance = (version: string) => mesh.sidecar({ appId: 'orders', appPort, args: ['--label', `version=${version}`] });
const callable = () => eventually(async () => expect((await fetch(url())).status).toBe(200), 20_000);

const RULES = [
  '[{ backendRefs: [{ name: orders@v1, weight: 9 }, { name: orders@v2, weight: 1 }] }]',
  '[{ backendRefs: [{ name: orders@v2 }] }]',
  '[{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-changed, value: "1" }] } }] }]',
  '[{ timeouts: { request: 10s }, retry: { attempts: 2, codes: [503] } }]',
  '[{ backendRefs: [{ name: orders@v1 }] }]',
];
const route = (rules: string, step: number) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders, labels: { step: "${step}" } }
spec: { parentRefs: [{ kind: Service, group: "", name: orders }], rules: ${rules} }
`;

it(`${CHANGES} changed routes fail no request`, async () => {
  const [one, two] = [await instance('v1'), await instance('v2')];
  await Promise.all([one.ready(), two.ready(), caller.ready()]);
  await callable();
  const load = startOpenLoop({ url: url(), perSecond: CHAOS.perSecond });
  await load.risen;
  for (let step = 0; step < CHANGES; step += 1) {
    mesh.resource('route.yaml', route(RULES[step % RULES.length] ?? '', step));
    await sleep(BETWEEN_MS);
  }
  const { good, bad, p99Ms, worstMs } = await load.stop();
  console.info(
    `${CHANGES} route changes: ${good} good, ${bad.length} bad, p99 ${p99Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms`,
  );
  expect(bad.slice(0, SHOWN)).toEqual([]);
  expect(good).toBeGreaterThan(100);
});

it(`${CHANGES} restarted instances fail no request`, { timeout: 240_000 }, async () => {
  let [old, other] = [await instance('v1'), await instance('v2')];
  await Promise.all([old.ready(), other.ready(), caller.ready()]);
  await callable();
  const load = startOpenLoop({ url: url(), perSecond: CHAOS.perSecond });
  await load.risen;
  for (let step = 0; step < CHANGES; step += 1) {
    old.cli.signal('SIGTERM');
    expect(await old.cli.exit()).toBe(0);
    const fresh = await instance('v1');
    await fresh.ready();
    // Starting a sidecar takes the CPUs that the requests need as well: as a careful rollout, go on when all is calm.
    await eventually(() => expect(load.underWay()).toBeLessThan(CALM), 20_000);
    [old, other] = [other, fresh];
  }
  const { good, bad, p99Ms, worstMs } = await load.stop();
  console.info(
    `${CHANGES} restarts: ${good} good, ${bad.length} bad, p99 ${p99Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms`,
  );
  expect(bad.slice(0, SHOWN)).toEqual([]);
  expect(good).toBeGreaterThan(500);
});
