import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, untilStatus } from '../../support/mesh.js';

let mesh: Mesh;

beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it.each(['envoy', 'service'] as const)(
  'is ready for calls out before the app is up, and ready when it is: %s door',
  async (door) => {
    const appPort = await mesh.world.port();
    const sidecar = await mesh.sidecar({ appId: 'orders', appPort, door });
    await untilStatus(`${sidecar.api}/v1.0/healthz/outbound`, 204, sidecar.cli);
    const early = await fetch(`${sidecar.api}/v1.0/healthz`);
    expect(early.status).toBe(500);
    expect(await early.json()).toEqual({
      errorCode: 'ERR_HEALTH_NOT_READY',
      message: `dapr is not ready: the app does not accept connections on 127.0.0.1:${appPort} yet`,
    });
    await sidecar.cli.until(/waiting for the app: nothing accepts connections on 127\.0\.0\.1:\d+ yet \(--app-port\)/);

    await mesh.app((request, response) => response.end(`got ${request.url}`), appPort);
    await sidecar.ready();
    expect((await fetch(`${sidecar.api}/v1.0/healthz?appid=orders`)).status).toBe(204);
    expect((await fetch(`${sidecar.api}/v1.0/healthz?appid=other`)).status).toBe(500);
    expect(await (await fetch(`${sidecar.api}/v1.0/invoke/orders/method/a?b=c`)).text()).toBe('got /a?b=c');
  },
);

it('is callable by itself and by every sidecar that runs the moment that it says it is ready', async () => {
  const callers = [await mesh.sidecar({ appId: 'a', door: 'envoy' }), await mesh.sidecar({ appId: 'b', door: 'service' })];
  for (const caller of callers) await caller.ready();
  const said = async (api: string, app: string) => (await fetch(`${api}/v1.0/invoke/${app}/method/x`)).text();
  for (const app of ['one', 'two', 'three', 'four']) {
    const appPort = await mesh.app((_request, response) => response.end(app));
    const sidecar = await mesh.sidecar({ appId: app, appPort });
    await sidecar.cli.until(/\bready\b.* ms=/);
    expect(await Promise.all([sidecar, ...callers].map(({ api }) => said(api, app)))).toEqual([app, app, app]);
  }
});

it('tells what it is in the metadata, and keeps what a client adds', async () => {
  const appPort = await mesh.app((_request, response) => response.end());
  const sidecar = await mesh.sidecar({
    appId: 'orders',
    appPort,
    env: { WEFT_RUN_PID: '77', WEFT_APP_COMMAND: 'python3 app.py' },
  });
  await sidecar.ready();
  expect((await fetch(`${sidecar.api}/v1.0/metadata/note`, { method: 'PUT', body: 'hello' })).status).toBe(204);
  expect(await (await fetch(`${sidecar.api}/v1.0/metadata`)).json()).toMatchObject({
    id: 'orders',
    components: expect.arrayContaining([expect.objectContaining({ name: 'statestore', type: 'state.sqlite' })]),
    extended: { daprRuntimeVersion: expect.stringMatching(/^1\./), cliPID: '77', appCommand: 'python3 app.py', note: 'hello' },
    appConnectionProperties: { port: appPort, protocol: 'http', channelAddress: '127.0.0.1' },
  });
});

it('waits for a control plane that is not there yet, says so with address and flag, and goes on when it comes', async () => {
  await mesh.killControlPlane();
  const sidecar = await mesh.sidecar({ appId: 'orders' });
  await sidecar.cli.until(/waiting for the control plane at 127\.0\.0\.1:\d+ \(--control-plane-address\)/);
  await mesh.startControlPlane();
  await sidecar.ready();
});

it('stops at once, and leaves nothing, while it still waits for a control plane', async () => {
  await mesh.killControlPlane();
  const sidecar = await mesh.sidecar({ appId: 'orders' });
  await sidecar.cli.until(/waiting for the control plane/);
  sidecar.cli.signal('SIGTERM');
  expect(await sidecar.cli.exit()).toBe(0);
  await eventually(() => expect(mesh.world.processes()).toEqual([]));
});
