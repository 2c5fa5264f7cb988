import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Capture, startCapture } from '../../support/capture.js';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { joinMesh, type Workload } from '../../support/workload.js';

const SECRET = 'a-text-that-nobody-else-may-read';
const TLS_HANDSHAKE = 22;

let mesh: Mesh;
let caller: SidecarProcess;
let ordersInbound: number;
let requests = 0;
const closers: (() => void)[] = [];

beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((request, response) => {
    requests += 1;
    response.setHeader('x-answer', SECRET);
    request.pipe(response);
  });
  ordersInbound = await mesh.world.port();
  const orders = await mesh.sidecar({ appId: 'orders', appPort, args: ['--inbound-port', String(ordersInbound)] });
  caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), caller.ready()]);
});
afterAll(async () => {
  for (const close of closers) close();
  await mesh.close();
});

const call = (app: string) =>
  fetch(`${caller.api}/v1.0/invoke/${app}/method/${SECRET}`, { method: 'POST', body: SECRET, headers: { 'x-secret': SECRET } });

/** Another instance of `appId`, whose address is `port`. */
async function claim(appId: string, port: number): Promise<Workload> {
  const workload = await joinMesh(mesh.world, appId);
  closers.push(workload.close);
  await workload.attach({ address: '127.0.0.1', inboundPort: port });
  return workload;
}

describe('between two sidecars', () => {
  it('only TLS is on the wire', async () => {
    const capture: Capture = await startCapture(ordersInbound);
    closers.push(capture.close);
    await claim('orders', capture.port);
    await eventually(async () => {
      const response = await call('orders');
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(SECRET);
      expect(capture.connections()).toBeGreaterThan(0);
    });
    const bytes = capture.bytes();
    expect(bytes.length).toBeGreaterThan(1000);
    expect(bytes.includes(SECRET)).toBe(false);
    for (const opening of capture.openings()) expect(opening[0]).toBe(TLS_HANDSHAKE);
  });

  it("sends an app's requests to nobody with another app's certificate", async () => {
    // Somebody with a right to be `payments` names the inbound listener of orders as its own.
    await claim('payments', ordersInbound);
    await eventually(async () => {
      const answer = await call('payments');
      expect(await answer.text()).toContain('connection failure');
      expect(answer.status).toBe(500);
    });
    const before = requests;
    for (let calls = 0; calls < 10; calls += 1) expect((await call('payments')).status).toBe(500);
    expect(requests).toBe(before);
    expect((await call('orders')).status).toBe(200);
    expect(requests).toBe(before + 1);
  });
});
