import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../support/envoy-rig.js';
import { call } from '../support/http-call.js';
import { freePort } from '../support/ports.js';

/** Real Envoys: what a caller sees when the other side is not there. */

let rig: EnvoyRig;
let caller: RigSidecar;
beforeEach(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'checkout' });
});
afterEach(() => rig.close());

const invoke = () => call(`${caller.api}/v1.0/invoke/orders/method/a`);
const failed = (err: string) => ({
  status: 500,
  headers: expect.objectContaining({ 'content-type': 'application/json' }),
  body: expect.stringContaining(`{"errorCode":"ERR_DIRECT_INVOKE","message":"failed to invoke, id: orders, err: ${err}`),
});

it('no instance is ready: Dapr’s error, at once', async () => {
  await rig.add({ appId: 'orders', appReady: false });
  await rig.update({});
  expect(await invoke()).toMatchObject(failed('no healthy upstream'));
});

it('the other host is gone: Dapr’s error after the retries', async () => {
  const dead = await freePort();
  await rig.update({
    instances: (all) => all.concat({ ...caller.instance, appId: 'orders', instanceId: 'dead', inboundPort: dead }),
  });
  expect(await invoke()).toMatchObject(failed('upstream connect error'));
});

it('the app behind a sidecar is gone: its sidecar says so in the same words', async () => {
  const target = await rig.add({ appId: 'orders' });
  await rig.update({});
  target.appServer.close();
  target.appServer.closeAllConnections();
  expect(await invoke()).toMatchObject(failed('upstream connect error'));
});

it('one of two hosts is gone: the other one answers every call', async () => {
  const dead = await freePort();
  await rig.add({ appId: 'orders', instanceId: 'alive' });
  await rig.update({
    instances: (all) => all.concat({ ...caller.instance, appId: 'orders', instanceId: 'dead', inboundPort: dead }),
  });
  for (let i = 0; i < 20; i += 1) expect((await invoke()).status).toBe(200);
});

it('an instance with a lost lease gets traffic only when no other is left', async () => {
  for (const name of ['one', 'two', 'three']) await rig.add({ appId: 'orders', instanceId: name });
  const lose = (...names: string[]) =>
    rig.update({
      instances: (all) =>
        all.map((it) => ({ ...it, lease: names.includes(it.instanceId) ? ('lost' as const) : ('live' as const) })),
    });
  const answering = async () => {
    const from = new Set<string>();
    for (let i = 0; i < 20; i += 1) from.add(JSON.parse((await invoke()).body).from);
    return [...from].sort();
  };
  await lose();
  expect(await answering()).toEqual(['one', 'three', 'two']);
  await lose('one', 'two');
  expect(await answering()).toEqual(['three']);
  await lose('one', 'two', 'three');
  expect(await answering()).toEqual(['one', 'three', 'two']);
});

it('the filter service is gone: no word of invocation', async () => {
  await rig.update({ instances: (all) => all });
  const lonely = await rig.add({
    appId: 'lonely',
    service: (request) => void request.socket.destroy(),
  });
  const { status, body } = await call(`${lonely.api}/v1.0/state/s/k`);
  expect(status).toBe(500);
  expect(JSON.parse(body)).toEqual({ errorCode: 'ERROR', message: expect.stringContaining('upstream connect error') });
});
