import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('starts a killed Envoy again, says why it ended, and serves its calls and its own blocks', async () => {
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  const sidecar = await mesh.sidecar({ appId: 'orders', appPort, door: 'service' });
  await sidecar.ready();
  const [first] = sidecar.envoys();
  process.kill(first as number, 'SIGKILL');
  // What needs no Envoy goes on meanwhile.
  expect((await fetch(`${sidecar.api}/v1.0/state/statestore/key`)).status).toBe(204);
  await eventually(async () => {
    const response = await fetch(`${sidecar.api}/v1.0/invoke/orders/method/x`);
    expect([response.status, await response.text()]).toEqual([200, 'hello']);
  });
  await sidecar.ready();
  expect(sidecar.envoys()).not.toContain(first);
  expect(sidecar.cli.text()).toMatch(/Envoy ended and is started again: killed by SIGKILL/);
});

it('leaves no Envoy behind when the sidecar itself is killed', async () => {
  const sidecar = await mesh.sidecar({ appId: 'orders' });
  await sidecar.ready();
  expect(sidecar.envoys()).toHaveLength(1);
  sidecar.cli.signal('SIGKILL');
  await eventually(() => expect(mesh.world.processes().filter((line) => !line.includes('control-plane'))).toEqual([]));
});

it('stops when the pipe of its standard input closes', async () => {
  const sidecar = await mesh.sidecar({ appId: 'orders', args: ['--exit-on-stdin-close'] });
  // The world gives its processes an empty input: its end is there from the start.
  expect(await sidecar.cli.exit()).toBe(0);
});
