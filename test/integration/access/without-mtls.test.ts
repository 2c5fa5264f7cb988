import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { call } from '../../support/http-call.js';

/** Real Envoys without mTLS: nobody has an identity, so only the default action counts. */

const checkout = { appId: 'checkout', namespace: 'default', trustDomain: 'public' };
const accessControl = (defaultAction: string, policy: object) => ({
  accessControl: { defaultAction, policies: [{ ...checkout, ...policy }] },
});

let rig: EnvoyRig;
let caller: RigSidecar;
beforeAll(async () => {
  rig = await createRig({
    specs: {
      closed: accessControl('deny', { defaultAction: 'allow' }),
      open: accessControl('allow', { defaultAction: 'deny' }),
    },
  });
  caller = await rig.add({ appId: 'checkout' });
  await rig.add({ appId: 'closed' });
  await rig.add({ appId: 'open' });
  await rig.update({});
});
afterAll(() => rig.close());

it.each([
  ['closed', 403],
  ['open', 200],
])('%s: %d', async (app, status) => {
  expect((await call(`${caller.api}/v1.0/invoke/${app}/method/a`)).status).toBe(status);
});
