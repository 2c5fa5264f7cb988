import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Real sidecars: a resource of each kind comes, says the same in other words, changes and goes; only what it is about is pushed. */

let dir: string;
let mesh: Mesh;
let sidecars: readonly SidecarProcess[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weft-reload-'));
  mkdirSync(join(dir, 'resources'));
  writeFileSync(join(dir, 'config.yaml'), configuration('{}'));
  const paths = ['--resources-path', join(dir, 'resources'), '--config', join(dir, 'config.yaml')];
  mesh = await createMesh({ controlPlane: paths });
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  sidecars = [await mesh.sidecar({ appId: 'orders', appPort }), await mesh.sidecar({ appId: 'caller' })];
  await Promise.all(sidecars.map((sidecar) => sidecar.ready()));
  await quiet();
});
afterAll(async () => {
  await mesh.close();
  rmSync(dir, { recursive: true, force: true });
});

const document = (apiVersion: string, kind: string, rest: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: changing }\n${rest}\n`;
const configuration = (spec: string) => document('dapr.io/v1alpha1', 'Configuration', `spec: ${spec}`);
const parent = 'parentRefs: [{ kind: Service, group: "", name: orders }]';

/** By kind: two versions, and the types that a change of it may push. */
const KINDS: Readonly<Record<string, { readonly versions: readonly [string, string]; readonly pushes: readonly string[] }>> = {
  Component: {
    versions: ['1', '2'].map((value) =>
      document(
        'dapr.io/v1alpha1',
        'Component',
        `spec: { type: state.in-memory, version: v1, metadata: [{ name: keyPrefix, value: "p${value}" }] }`,
      ),
    ) as [string, string],
    pushes: ['Component'],
  },
  Subscription: {
    versions: ['a', 'b'].map((topic) =>
      document('dapr.io/v2alpha1', 'Subscription', `spec: { pubsubname: none, topic: ${topic}, routes: { default: /x } }`),
    ) as [string, string],
    pushes: ['Subscription'],
  },
  Configuration: {
    versions: [
      configuration('{ accessControl: { defaultAction: deny } }'),
      configuration(
        '{ accessControl: { defaultAction: deny, policies: [{ appId: x, trustDomain: public, namespace: default }] } }',
      ),
    ],
    pushes: ['AppConfiguration', 'Listener'],
  },
  Resiliency: {
    versions: ['5s', '6s'].map((timeout) =>
      document(
        'dapr.io/v1alpha1',
        'Resiliency',
        `spec: { policies: { timeouts: { t: ${timeout} } }, targets: { apps: { orders: { timeout: t } } } }`,
      ),
    ) as [string, string],
    pushes: ['AppConfiguration', 'RouteConfiguration'],
  },
  HTTPRoute: {
    versions: ['a', 'b'].map((value) =>
      document(
        'gateway.networking.k8s.io/v1',
        'HTTPRoute',
        `spec: { ${parent}, rules: [{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-a, value: ${value} }] } }] }] }`,
      ),
    ) as [string, string],
    pushes: ['RouteConfiguration'],
  },
  GRPCRoute: {
    versions: ['a', 'b'].map((service) =>
      document(
        'gateway.networking.k8s.io/v1',
        'GRPCRoute',
        `spec: { ${parent}, rules: [{ matches: [{ method: { service: ${service} } }] }] }`,
      ),
    ) as [string, string],
    pushes: ['RouteConfiguration'],
  },
  TrafficSplit: {
    versions: ['1', '2'].map((weight) =>
      document(
        'split.smi-spec.io/v1alpha2',
        'TrafficSplit',
        `spec: { service: orders, backends: [{ service: orders, weight: ${weight} }, { service: caller, weight: 1 }] }`,
      ),
    ) as [string, string],
    pushes: ['RouteConfiguration'],
  },
  BackendTrafficPolicy: {
    versions: ['Random', 'LeastRequest'].map((type) =>
      document(
        'gateway.envoyproxy.io/v1alpha1',
        'BackendTrafficPolicy',
        `spec: { targetRefs: [{ kind: Service, name: orders }], loadBalancer: { type: ${type} } }`,
      ),
    ) as [string, string],
    // An updated cluster waits for its endpoints, also for unchanged ones (envoy#13009).
    pushes: ['Cluster', 'ClusterLoadAssignment'],
  },
  HTTPEndpoint: {
    versions: ['1', '2'].map((port) =>
      document('dapr.io/v1alpha1', 'HTTPEndpoint', `spec: { baseUrl: "http://127.0.0.1:${port}" }`),
    ) as [string, string],
    // Listeners know whether there are any, for the words of a failed call.
    pushes: ['Cluster', 'Listener', 'RouteConfiguration'],
  },
};

const controlPlane = () => `http://127.0.0.1:${Number(mesh.world.controlPlane.split(':')[1]) + 1}`;

/** Pushes so far, by type. */
async function pushes(): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${controlPlane()}/metrics`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^weft_xds_pushes_total\{type="(\w+)"\} (\d+)/gm)].map(([, type, n]) => [type, Number(n)]),
  );
}
const newTypes = (before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>) =>
  Object.keys(now)
    .filter((type) => now[type] !== before[type])
    .sort();

/** Every proxy has acknowledged what it was sent. */
const quiet = () =>
  eventually(async () => {
    const { text, code } = await mesh.world.run(['proxy-status']);
    expect(code).toBe(0);
    expect(text).not.toMatch(/STALE|NACK/);
  });

const problems = async () =>
  ((await (await fetch(`${controlPlane()}/metrics`)).text()).match(/^weft_resource_problems (\d+)/m) ?? [])[1];

it.each(Object.keys(KINDS))('%s', async (kind) => {
  const { versions, pushes: allowed } = KINDS[kind] ?? { versions: ['', ''], pushes: [] };
  const path = kind === 'Configuration' ? join(dir, 'config.yaml') : join(dir, 'resources', 'changing.yaml');
  const restore = () => (kind === 'Configuration' ? writeFileSync(path, configuration('{}')) : rmSync(path));
  const pushedAfter = async (change: () => void) => {
    const before = await pushes();
    change();
    await eventually(async () => expect(newTypes(before, await pushes())).not.toEqual([]));
    await quiet();
    return newTypes(before, await pushes());
  };
  // Coming may bring more than changing: a rule for an app makes its callers' table another one.
  await pushedAfter(() => writeFileSync(path, versions[0]));
  expect(await problems()).toBe('0');
  const settled = await pushes();
  writeFileSync(path, `# The same in other words.\n${versions[0]}`);
  // What is pushed for this one is all that is pushed for both.
  const changed = await pushedAfter(() => writeFileSync(path, versions[1]));
  expect(changed.filter((type) => !allowed.includes(type))).toEqual([]);
  const now = await pushes();
  for (const type of changed) expect((now[type] ?? 0) - (settled[type] ?? 0)).toBeLessThanOrEqual(PROXIES);
  await pushedAfter(restore);
  expect(await problems()).toBe('0');
});

/** Two sidecars, each with an Envoy and a filter service; and of an updated cluster the endpoints come once more. */
const PROXIES = 4;
