import { readdirSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { envoyAdmin } from '../../../src/agent/envoy/admin.js';
import type { MtlsStatus } from '../../../src/control/mtls-status.js';
import { sleep } from '../../../src/lib/async.js';
import { type Chat, startChat, startEchoApp } from '../../support/bidi.js';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess, traffic } from '../../support/mesh.js';

const TTL_MS = 6_000;
/** As many as share a connection between sidecars. */
const CALLS_A_CONNECTION = 16;

let mesh: Mesh;
let caller: SidecarProcess;
let chat: Chat;
/** Answers that the app owes until the load stops. */
const held: ServerResponse[] = [];
let holding = false;
const closers: (() => void)[] = [];

beforeAll(async () => {
  mesh = await createMesh({ controlPlane: ['--workload-cert-ttl', `${TTL_MS / 1000}s`] });
  const appPort = await mesh.app(({ url }, response) => {
    if (holding && url === '/held') held.push(response);
    else setTimeout(() => response.end('hello'), 20);
  });
  const echo = await startEchoApp();
  closers.push(echo.close);
  const orders = await mesh.sidecar({ appId: 'orders', appPort });
  const talk = await mesh.sidecar({ appId: 'talk', appPort: echo.port, args: ['--app-protocol', 'grpc'] });
  caller = await mesh.sidecar({ appId: 'caller' });
  await Promise.all([orders.ready(), talk.ready(), caller.ready()]);
  await eventually(async () => expect((await fetch(url())).status).toBe(200));
  chat = startChat(caller.grpcPort, 'talk');
  closers.push(chat.close);
  await eventually(() => expect(chat.answered()).toBeGreaterThan(0));
});
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) close();
  await mesh.close();
});

const url = (path = 'x') => `${caller.api}/v1.0/invoke/orders/method/${path}`;

async function status(): Promise<Extract<MtlsStatus, { enabled: true }>> {
  const { text } = await mesh.world.run(['mtls', '-o', 'json']);
  return JSON.parse(text) as Extract<MtlsStatus, { enabled: true }>;
}
const serials = async () => (await status()).certificates.map(({ serial }) => serial).sort();

/**
 * Every 400 ms one caller more, and so many calls whose answer comes at the end that Envoy must open one connection more to the other
 * Envoy: there are handshakes all the time, with old and new certificates on either side, and calls that outlive their certificates.
 */
function growingLoad(): ReturnType<typeof traffic> {
  const parts = [traffic(url(), 1)];
  holding = true;
  const timer = setInterval(() => parts.push(traffic(url(), 1), traffic(url('held'), CALLS_A_CONNECTION)), 400);
  return {
    async stop() {
      clearInterval(timer);
      const stopped = parts.map((part) => part.stop());
      holding = false;
      for (const response of held.splice(0)) response.end('hello');
      const ends = await Promise.all(stopped);
      return { good: ends.reduce((sum, { good }) => sum + good, 0), bad: ends.flatMap(({ bad }) => bad) };
    },
  };
}

/** How many TLS handshakes the Envoys of this mesh have made with each other. */
async function handshakes(): Promise<number> {
  const run = join(mesh.world.home, 'run');
  const admins = readdirSync(run).map((id) => envoyAdmin(join(run, id, 'admin.sock')));
  const stats = await Promise.all(admins.map((admin) => admin.call('GET', '/stats?filter=^listener.*ssl.handshake$')));
  return stats.flatMap(({ body }) => body.trim().split('\n')).reduce((sum, line) => sum + (Number(line.split(': ')[1]) || 0), 0);
}

it('changes certificates under load without a failed request or a dropped stream', async () => {
  const before = await serials();
  const handshakesBefore = await handshakes();
  const load = growingLoad();
  await sleep(TTL_MS * 2.5);
  const { good, bad } = await load.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(100);
  expect((await handshakes()) - handshakesBefore).toBeGreaterThan(20);
  expect(chat.failure()).toBeUndefined();
  const after = await serials();
  expect(after).toHaveLength(3);
  expect(after.filter((serial) => before.includes(serial))).toEqual([]);
});

it('changes the root under load: both are trusted until the old one has signed nothing that lives', async () => {
  const [old] = (await status()).roots;
  const load = growingLoad();
  const { code } = await mesh.world.run(['mtls', 'renew-certificate', '--propagation', '2s']);
  expect(code).toBe(0);
  expect((await status()).roots).toHaveLength(2);
  await eventually(async () => {
    const { roots } = await status();
    expect(roots.map(({ state }) => state)).toEqual(['signing']);
    expect(roots[0]?.serial).not.toBe(old?.serial);
  }, TTL_MS * 3);
  await sleep(TTL_MS);
  const { good, bad } = await load.stop();
  expect(bad).toEqual([]);
  expect(good).toBeGreaterThan(100);
  expect(chat.failure()).toBeUndefined();
});

it('goes on over a control plane that is away longer than a certificate lives', async () => {
  const answered = chat.answered();
  await mesh.killControlPlane();
  await sleep(TTL_MS * 1.5);
  // Connections that are open outlive their certificates; nobody new gets in meanwhile.
  expect(chat.failure()).toBeUndefined();
  expect(chat.answered()).toBeGreaterThan(answered + 20);
  await mesh.startControlPlane();
  await eventually(async () => expect((await fetch(url())).status).toBe(200), 20_000);
  expect(chat.failure()).toBeUndefined();
});
