import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderProxies } from '../../../src/cli/commands/proxy-status.js';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';

/** Envoys that ask for the state of the world (`api_type: GRPC`) get the same mesh. What they refuse: real-envoy.test.ts. */

let rig: EnvoyRig;
let web: RigSidecar;
beforeAll(async () => {
  rig = await createRig({ apiType: 'GRPC' });
  web = await rig.add({ appId: 'web' });
  await rig.add({ appId: 'orders' });
});
afterAll(() => rig?.close());

const from = async (path = '/a') => {
  const { status, body } = await call(`${web.api}/v1.0/invoke/orders/method${path}`);
  return status === 200 ? (JSON.parse(body) as { from: string; url: string }) : { status };
};

it('calls by name work, also of what comes later, and what goes is gone', async () => {
  await eventually(async () => expect(await from()).toMatchObject({ from: 'orders', url: '/a' }));
  const second = await rig.add({ appId: 'orders', instanceId: 'second' });
  await rig.update({});
  await eventually(async () => expect(await from()).toMatchObject({ from: 'second' }));
  await rig.update({ instances: (all) => all.filter(({ instanceId }) => instanceId !== second.instance.instanceId) });
  for (let i = 0; i < 10; i += 1) expect(await from()).toMatchObject({ from: 'orders' });
});

it('a route that changes arrives, and goes again', async () => {
  await rig.update({
    resources: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec:
  parentRefs: [{ kind: Service, group: "", name: orders }]
  rules: [{ filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /b } } }] }]
`,
  });
  await eventually(async () => expect(await from()).toMatchObject({ url: '/b' }));
  await rig.update({ resources: '' });
  await eventually(async () => expect(await from()).toMatchObject({ url: '/a' }));
});

it('weft proxy-status shows them as it shows all others', async () => {
  const plain = { paint: (_: unknown, text: string) => text };
  await eventually(() => {
    const line = renderProxies(rig.proxies(), plain)
      .split('\n')
      .find((text) => text.includes('~web~'));
    expect(line?.trim().split(/\s+/).slice(1)).toEqual(['SYNCED', 'SYNCED', 'SYNCED', 'SYNCED', 'NOT', 'SENT', 'yes']);
  });
});
