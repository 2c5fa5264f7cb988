import { afterEach, expect, it } from 'vitest';
import type { MtlsStatus } from '../../src/control/mtls-status.js';
import { sleep } from '../../src/lib/async.js';
import { startChat, startEchoApp } from '../support/bidi.js';
import { eventually } from '../support/eventually.js';
import { CHAOS, createFeaturedMesh, type FeaturedMesh } from '../support/featured-mesh.js';
import { traffic } from '../support/mesh.js';
import { startOpenLoop } from '../support/open-loop.js';

/** Everything on, certificates that live shortly, requests at a fixed rate, streams, and more connections all the time. */

/** By hand, minutes long, certificates live 30 seconds; the short run has to see a few of them as well. */
const TTL_SECONDS = CHAOS.seconds >= 60 ? 30 : 8;
const CALLERS_EVERY_MS = 1_000;
/** Sixteen calls share a connection between sidecars; a run of minutes would have thousands of callers in the end. */
const MORE_CALLERS = CHAOS.seconds >= 60 ? 1 : 16;
const SLOW_MS = 3_000;

let mesh: FeaturedMesh | undefined;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await mesh?.close();
});

it(`${CHAOS.seconds} seconds with certificates of ${TTL_SECONDS} seconds fail nothing`, {
  timeout: CHAOS.seconds * 1000 + 90_000,
}, async () => {
  const running = await createFeaturedMesh(['--workload-cert-ttl', `${TTL_SECONDS}s`]);
  mesh = running;
  const appPort = await running.app((request, response) => {
    setTimeout(() => response.end('hello'), request.url === '/slow' ? SLOW_MS : 0);
  });
  const echo = await startEchoApp();
  closers.push(echo.close);
  const orders = [await running.sidecar({ appId: 'orders', appPort }), await running.sidecar({ appId: 'orders', appPort })];
  const talk = await running.sidecar({ appId: 'talk', appPort: echo.port, args: ['--app-protocol', 'grpc'] });
  const caller = await running.sidecar({ appId: 'caller' });
  await Promise.all([...orders, talk, caller].map((sidecar) => sidecar.ready()));
  const url = (method: string) => `${caller.api}/v1.0/invoke/orders/method/${method}`;
  await eventually(async () => expect((await fetch(url('x'))).status).toBe(200), 20_000);
  const serials = async () => {
    const { text } = await running.world.run(['mtls', '-o', 'json']);
    return (JSON.parse(text) as Extract<MtlsStatus, { enabled: true }>).certificates.map(({ serial }) => serial);
  };
  const before = await serials();
  const chat = startChat(caller.grpcPort, 'talk');
  closers.push(chat.close);

  const load = startOpenLoop({ url: url('x'), perSecond: CHAOS.perSecond });
  const slow: ReturnType<typeof traffic>[] = [];
  const end = performance.now() + CHAOS.seconds * 1000;
  // More slow requests at a time each second: Envoy needs more connections for them, with handshakes.
  while (performance.now() < end) {
    slow.push(traffic(url('slow'), MORE_CALLERS));
    await sleep(CALLERS_EVERY_MS);
  }
  const [{ p99Ms, worstMs, ...steady }, ...others] = await Promise.all([load.stop(), ...slow.map((part) => part.stop())]);
  const outcomes = [steady, ...others];
  const good = outcomes.reduce((sum, part) => sum + part.good, 0);
  console.info(`${good} good, p99 ${p99Ms.toFixed(1)} ms, worst ${worstMs.toFixed(1)} ms, ${chat.answered()} messages`);
  expect(outcomes.flatMap(({ bad }) => bad).slice(0, 10)).toEqual([]);
  expect(good).toBeGreaterThan(CHAOS.seconds * 20);
  expect(chat.failure()).toBeUndefined();
  expect((await serials()).filter((serial) => before.includes(serial))).toEqual([]);
});
