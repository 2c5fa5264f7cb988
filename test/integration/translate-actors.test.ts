import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadMaglev } from '../../src/lib/maglev.js';
import type { ActorPlacement } from '../../src/model/mesh-model.js';
import { createRig, type EnvoyRig, echo, type Handler, type RigSidecar, type Seen } from '../support/envoy-rig.js';
import { call } from '../support/http-call.js';

/** Real Envoys: a call finds its actor's owner, which every process computes alike. */

let rig: EnvoyRig;
let hosts: RigSidecar[];
let outside: RigSidecar;
let service: Record<string, Handler | undefined> = {};
const answering =
  (name: string): Handler =>
  (request, response) =>
    (service[name] ?? echo(`service of ${name}`))(request, response);

beforeAll(async () => {
  rig = await createRig();
  hosts = [];
  for (const name of ['host-a', 'host-b', 'host-c'])
    hosts.push(await rig.add({ appId: 'game', instanceId: name, service: answering(name) }));
  outside = await rig.add({ appId: 'web' });
});
afterAll(() => rig.close());

const placement = (names: readonly string[], actorType = 'Counter', generation = 1): ActorPlacement => ({
  namespace: 'default',
  actorType,
  generation,
  hosts: hosts
    .map(({ instance }) => instance)
    .filter(({ instanceId }) => names.includes(instanceId))
    .map(({ instanceId, appId, address, inboundPort }) => ({ instanceId, appId, address, port: inboundPort })),
});
const seen = async (from: RigSidecar, path: string) => JSON.parse((await call(from.api + path, { method: 'PUT' })).body) as Seen;

it('every Envoy sends an actor to the host that the filter services compute', async () => {
  const names = ['host-a', 'host-b', 'host-c'];
  await rig.update({ placements: [placement(names)] });
  const table = (await loadMaglev())(names);
  for (let id = 0; id < 60; id += 1) {
    const owner = `service of ${table.owner(`Counter/${id}`)}`;
    const path = `/v1.0/actors/Counter/${id}/method/add?n=1`;
    for (const from of [outside, ...hosts]) expect(await seen(from, path)).toMatchObject({ from: owner, url: path });
  }
});

it('marks the call for the filter service, and whether it came from another host', async () => {
  const path = '/v1.0/actors/Counter/1/method/add';
  const far = await seen(outside, path);
  expect(far.headers).toMatchObject({ 'x-weft-to': 'actor', 'x-dapr-remote': 'true' });
  const owner = hosts.find(({ instance }) => far.from === `service of ${instance.instanceId}`);
  const near = await seen(owner as RigSidecar, path);
  expect(near).toMatchObject({ from: far.from, headers: { 'x-weft-to': 'actor', 'dapr-caller-app-id': 'game' } });
  expect(Object.keys(near.headers)).not.toContain('x-dapr-remote');
});

it('leaves state, timers, reminders and unknown types to the caller’s own filter service', async () => {
  for (const path of [
    'Counter/1/state',
    'Counter/1/state/key',
    'Counter/1/timers/t',
    'Counter/1/reminders/r',
    'Nothing/1/method/m',
  ]) {
    const { from, headers } = await seen(outside, `/v1.0/actors/${path}`);
    expect([path, from]).toEqual([path, 'service of web']);
    expect(Object.keys(headers)).not.toContain('x-weft-to');
  }
});

it('tries again while the host says that the actor has moved, and follows the new placement', async () => {
  const path = '/v1.0/actors/Counter/7/method/add';
  await rig.update({ placements: [placement(['host-a'])] });
  let refused = 0;
  service = {
    'host-a': (request, response) => {
      refused += 1;
      request.resume();
      response.writeHead(503, { 'x-weft-actor-moved': '1' }).end();
      if (refused === 2) void rig.update({ placements: [placement(['host-b'], 'Counter', 2)] });
    },
  };
  const { status, headers, body } = await call(outside.api + path, { method: 'PUT', body: 'hello' });
  expect(status).toBe(200);
  expect((JSON.parse(body) as Seen).from).toBe('service of host-b');
  expect(Object.keys(headers)).not.toContain('x-weft-actor-moved');
  expect(refused).toBeGreaterThanOrEqual(2);
});

it('gives the host’s last answer when nothing changes, without the internal header', async () => {
  service = {
    'host-b': (request, response) => {
      request.resume();
      response.writeHead(503, { 'x-weft-actor-moved': '1', 'content-type': 'application/json' }).end('{"errorCode":"ERR"}');
    },
  };
  const { status, headers, body } = await call(`${outside.api}/v1.0/actors/Counter/7/method/add`, { method: 'PUT' });
  expect([status, body]).toEqual([503, '{"errorCode":"ERR"}']);
  expect(Object.keys(headers)).not.toContain('x-weft-actor-moved');
});

it('takes type names as they stand in a path', async () => {
  service = {};
  await rig.update({ placements: [placement(['host-c'], 'My Type+x')] });
  expect(await seen(outside, '/v1.0/actors/My%20Type%2Bx/1/method/m')).toMatchObject({ from: 'service of host-c' });
});
