import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { loadMaglev } from '../../../src/lib/maglev.js';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/**
 * Real processes (case F5): a host of actors stops (SIGSTOP) for longer than its lease and goes on. Its actors live on another host
 * meanwhile, one that has joined, and stay there: whatever the woken one still runs of them runs twice.
 */

/** An app that notes its turns; methods that start with `long` end when the test says so. */
interface Host {
  readonly name: string;
  readonly server: Server;
  readonly sidecar: SidecarProcess;
  /** Its app begins to listen, which makes it a host. */
  listen(): Promise<void>;
  id(): Promise<string>;
  /** Calls of actors that run or wait here. */
  pending(): Promise<number>;
}

const buildTable = await loadMaglev();
/** Turns that run now, and every one that began, as `<host> <actor> <method>`. */
const running = new Map<string, { readonly host: string; end(): void }>();
const begun: string[] = [];
const overlaps: string[] = [];
let mesh: Mesh;
let web: SidecarProcess;
let first: Host;
let second: Host;
let third: Host;

function appOf(name: string): Server {
  return createServer((request, response) => {
    const { url = '', method: verb } = request;
    request.resume();
    if (url === '/dapr/config') return void response.end('{"entities":["Cart"]}');
    const [, actor = '', method = ''] = /^\/actors\/Cart\/([^/]+)\/method\/(\w+)$/.exec(url) ?? [];
    if (verb !== 'PUT' || method === '')
      return void response.writeHead(verb === 'DELETE' || url === '/healthz' ? 200 : 404).end();
    const other = running.get(actor);
    if (other) overlaps.push(`${actor}: ${method} on ${name} while it runs on ${other.host}`);
    begun.push(`${name} ${actor} ${method}`);
    const end = () => {
      running.delete(actor);
      response.end(JSON.stringify(name));
    };
    running.set(actor, { host: name, end });
    if (!method.startsWith('long')) end();
  });
}

/** @param listens false: its app listens later, so that it is no host yet */
async function startHost(name: string, listens = true): Promise<Host> {
  const server = appOf(name);
  const port = await mesh.world.port();
  const listen = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  if (listens) await listen();
  const metrics = await mesh.world.port();
  const sidecar = await mesh.sidecar({ appId: 'game', appPort: port, args: ['--metrics-port', String(metrics)] });
  if (listens) await sidecar.ready();
  const id = () =>
    eventually(async () => {
      const mine = (await instances()).find(({ pid }) => pid === sidecar.cli.pid);
      if (!mine) throw new Error(`${name} is not attached`);
      return mine.instanceId;
    }, 20_000);
  const pending = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    return Number(/^dapr_runtime_actor_pending_actor_calls\{.*\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  return { name, server, sidecar, listen, id, pending };
}

interface Shown {
  readonly instanceId: string;
  readonly pid: number;
  readonly appId: string;
  readonly state: string;
  readonly actorTypes: readonly string[];
}
async function instances(): Promise<readonly Shown[]> {
  const [host, port] = mesh.world.controlPlane.split(':');
  const answer = await fetch(`http://${host}:${Number(port) + 1}/v1/apps`);
  return ((await answer.json()) as { apps: Shown[] }).apps;
}
const hosts = async () =>
  (await instances()).filter(({ state, actorTypes }) => state === 'ready' && actorTypes.includes('Cart')).map(({ pid }) => pid);

const untilHosts = (...expected: readonly Host[]) =>
  eventually(async () => {
    const pids = expected.map(({ sidecar }) => sidecar.cli.pid);
    expect([...(await hosts())].sort()).toEqual(pids.sort());
  }, 30_000);

const call = async (actor: string, method: string, from = web) => {
  const answer = await fetch(`${from.api}/v1.0/actors/Cart/${actor}/method/${method}`, {
    method: 'PUT',
    signal: AbortSignal.timeout(60_000),
  });
  return `${answer.status} ${await answer.text()}`;
};

/** @returns an actor that lives on the first host, on the third while the first is away, and stays there when it is back */
async function wanderer(): Promise<string> {
  const [a, b, c] = await Promise.all([first.id(), second.id(), third.id()]);
  const owner = (among: readonly string[], actor: string) => buildTable(among).owner(`Cart/${actor}`);
  const found = Array.from({ length: 2_000 }, (_, i) => `cart-${i}`).find(
    (actor) => owner([a, b], actor) === a && owner([b, c], actor) === c && owner([a, b, c], actor) === c,
  );
  if (!found) throw new Error('no actor moves that way');
  return found;
}

beforeAll(async () => {
  mesh = await createMesh();
  web = await mesh.sidecar({ appId: 'web' });
  await web.ready();
});
beforeEach(async () => {
  overlaps.length = 0;
  begun.length = 0;
  [first, second, third] = await Promise.all([startHost('first'), startHost('second'), startHost('third', false)]);
  await untilHosts(first, second);
  // Hosts of the test before are gone from the caller's Envoy as well.
  const settled = await wanderer();
  await eventually(async () => expect(await call(settled, 'settled')).toBe('200 "first"'), 20_000);
  begun.length = 0;
}, 60_000);
afterEach(async () => {
  for (const { end } of running.values()) end();
  for (const { server, sidecar } of [first, second, third]) {
    sidecar.cli.signal('SIGKILL');
    server.closeAllConnections();
    server.close();
  }
  // Their leases end.
  await untilHosts();
}, 60_000);
afterAll(() => mesh?.close());

it('the sidecar’s own process: what waited in it runs where the actor lives now', async () => {
  const actor = await wanderer();
  const turn = call(actor, 'longFirst');
  await eventually(() => expect(running.get(actor)?.host).toBe('first'), 20_000);
  const waiting = [call(actor, 'waits'), call(actor, 'waits')];
  await eventually(async () => expect(await first.pending()).toBe(3), 20_000);

  first.sidecar.cli.signal('SIGSTOP');
  let gone: Promise<string>;
  try {
    running.get(actor)?.end();
    await third.listen();
    await untilHosts(second, third);
    gone = call(actor, 'longThird');
    await eventually(() => expect(running.get(actor)?.host).toBe('third'), 20_000);
  } finally {
    first.sidecar.cli.signal('SIGCONT');
  }
  await untilHosts(first, second, third);
  const late = call(actor, 'late', first.sidecar);
  expect(await turn).toBe('200 "first"');
  running.get(actor)?.end();
  expect(await gone).toBe('200 "third"');
  expect(await late).toBe('200 "third"');
  expect(await Promise.all(waiting)).toEqual(['200 "third"', '200 "third"']);
  expect(overlaps).toEqual([]);
  expect(begun.filter((line) => line.startsWith('first'))).toEqual([`first ${actor} longFirst`]);
}, 120_000);

it('its Envoy: what it still held goes where the actor lives now', async () => {
  const actor = await wanderer();
  expect(await call(actor, 'before')).toBe('200 "first"');
  const [envoy = 0] = first.sidecar.envoys();
  process.kill(envoy, 'SIGSTOP');
  let stuck: Promise<string>;
  let turn: Promise<string>;
  try {
    stuck = call(actor, 'stuck');
    await third.listen();
    await untilHosts(second, third);
    turn = call(actor, 'longThird');
    await eventually(() => expect(running.get(actor)?.host).toBe('third'), 20_000);
  } finally {
    process.kill(envoy, 'SIGCONT');
  }
  await untilHosts(first, second, third);
  const late = call(actor, 'late', first.sidecar);
  running.get(actor)?.end();
  expect(await turn).toBe('200 "third"');
  expect(await late).toBe('200 "third"');
  // It may have ended with its connection; it never ran where the actor does not live any more.
  await stuck;
  expect(overlaps).toEqual([]);
  expect(begun.filter((line) => line.startsWith('first'))).toEqual([`first ${actor} before`]);
}, 120_000);
