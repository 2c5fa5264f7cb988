import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Real processes: a route comes into force when its file is saved, and a bad one says why it does not. */

let mesh: Mesh;
let web: SidecarProcess;
let desk: SidecarProcess;
let directory: string;
beforeAll(async () => {
  mesh = await createMesh();
  directory = join(mesh.world.home, 'shop');
  mkdirSync(directory);
  const args = ['--resources-path', directory];
  const start = async (appId: string, door: 'envoy' | 'service', more: readonly string[] = []) => {
    const appPort = await mesh.app((request, response) => response.end(`${appId} ${request.url}`));
    const sidecar = await mesh.sidecar({ appId, appPort, door, args: [...args, ...more] });
    await sidecar.ready();
    return sidecar;
  };
  web = await start('web', 'envoy');
  desk = await start('desk', 'service');
  await start('orders', 'envoy', ['--label', 'version=v1']);
  await start('next', 'envoy');
});
afterAll(() => mesh.close());

const save = (rules: string, name = 'orders') =>
  writeFileSync(
    join(directory, `${name}.yaml`),
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ kind: Service, group: "", name: ${name} }], rules: ${rules} }
`,
  );
const call = async (path = '/a') => (await fetch(`${web.api}/v1.0/invoke/orders/method${path}`)).text();
const cli = async (...args: string[]) =>
  (await mesh.world.run([...args, '--control-plane-address', mesh.world.controlPlane])).text;

it('a saved route is in force, on both doors and by every form of address', async () => {
  expect(await call()).toBe('orders /a');
  save('[{ backendRefs: [{ name: next }] }]');
  await eventually(async () => expect(await call()).toBe('next /a'));
  for (const { api } of [web, desk]) {
    expect(await (await fetch(`${api}/v1.0/invoke/orders/method/a`)).text()).toBe('next /a');
    expect(await (await fetch(`${api}/a`, { headers: { 'dapr-app-id': 'orders' } })).text()).toBe('next /a');
  }
});

it('a bad one leaves the last good one in force, and the others too; weft routes says why', async () => {
  save('[{ backendRefs: [{ name: next, wight: 1 }] }]');
  save('[{ backendRefs: [{ name: nobody }] }]', 'shop');
  await eventually(async () => expect(await cli('routes')).toContain('wight: unknown field (did you mean weight?); rename it'));
  expect(await call()).toBe('next /a');
  const table = (await cli('routes')).split('\n').map((line) => line.split(/\s{2,}/));
  expect(table.slice(0, 3)).toEqual([
    ['KIND', 'NAMESPACE', 'NAME', 'PARENT', 'ACCEPTED', 'REFS', 'REASON'],
    ['HTTPRoute', '(all)', 'orders', 'orders', 'yes', 'yes', 'Accepted'],
    ['HTTPRoute', '(all)', 'shop', 'shop', 'yes', 'no', 'BackendNotFound: no instance of nobody is attached'],
  ]);
});

it('weft explain says where a call goes', async () => {
  save('[{ matches: [{ path: { value: /v1 } }], backendRefs: [{ name: orders@v1 }] }]');
  await eventually(async () => expect(await call('/v1/a')).toBe('orders /v1/a'));
  expect(await cli('explain', 'orders', '/v1/a')).toContain('HTTPRoute orders (prefix /v1)');
  expect(await cli('explain', 'orders', '/v1/a')).toMatch(/100 % default\/orders@v1: orders-\w+ ready/);
  expect(await cli('explain', 'orders', '/other')).toContain('the call is refused with 404');
  expect((await fetch(`${web.api}/v1.0/invoke/orders/method/other`)).status).toBe(404);
});

it('a removed file ends it', async () => {
  rmSync(join(directory, 'orders.yaml'));
  await eventually(async () => expect(await call()).toBe('orders /a'));
});
