import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar } from '../../support/envoy-rig.js';
import { call } from '../../support/http-call.js';

/** What a browser asks beforehand and looks for in answers, under a rule that says which pages may read them. */

let rig: EnvoyRig;
let web: RigSidecar;
let seen: string[] = [];
beforeAll(async () => {
  rig = await createRig();
  web = await rig.add({ appId: 'web' });
  await rig.add({
    appId: 'orders',
    app: (request, response) => {
      seen.push(request.method ?? '');
      request.resume();
      response.end('answer');
    },
  });
  await rig.update({
    resources: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec:
  parentRefs: [{ kind: Service, group: "", name: orders }]
  rules:
    - matches: [{ path: { value: /shop } }]
      filters:
        - type: CORS
          cors:
            allowOrigins: [https://shop.example.com, "https://*.shop.example.com:8443"]
            allowCredentials: true
            allowMethods: [GET, PUT]
            allowHeaders: [x-user, content-type]
            exposeHeaders: [x-total]
            maxAge: 600
    - matches: [{ path: { value: /put }, method: PUT }]
      filters: [{ type: CORS, cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"] } }]
    - {}
`,
  });
});
afterAll(() => rig?.close());

const ask = async (path: string, headers: Record<string, string>, method: string) => {
  seen = [];
  const { status, headers: got, body } = await call(`${web.api}/v1.0/invoke/orders/method${path}`, { method, headers });
  const cors = Object.fromEntries(
    Object.entries(got)
      .filter(([name]) => name.startsWith('access-control-'))
      .map(([name, value]) => [name.slice('access-control-'.length), String(value)]),
  );
  return { status, body, cors, seen };
};
const preflight = (path: string, origin: string, asked = 'PUT') =>
  ask(path, { origin, 'access-control-request-method': asked, 'access-control-request-headers': 'x-user' }, 'OPTIONS');

it.each(['https://shop.example.com', 'https://a.shop.example.com:8443'])('%s may call, and read the answers', async (origin) => {
  expect(await preflight('/shop/1', origin)).toEqual({
    status: 200,
    body: '',
    cors: {
      'allow-origin': origin,
      'allow-credentials': 'true',
      'allow-methods': 'GET,PUT',
      'allow-headers': 'x-user,content-type',
      'expose-headers': 'x-total',
      'max-age': '600',
    },
    seen: [],
  });
  expect(await ask('/shop/1', { origin }, 'PUT')).toMatchObject({
    body: 'answer',
    cors: { 'allow-origin': origin, 'allow-credentials': 'true', 'expose-headers': 'x-total' },
    seen: ['PUT'],
  });
});

it.each(['https://evil.example', 'http://shop.example.com', 'https://shop.example.com.evil', 'https://shop_example.com', 'null'])(
  '%s may not, and the app is not asked beforehand',
  async (origin) => {
    expect(await preflight('/shop/1', origin)).toMatchObject({ status: 200, cors: {}, seen: [] });
    expect(await ask('/shop/1', { origin }, 'PUT')).toMatchObject({ body: 'answer', cors: {} });
  },
);

it('a rule for one method answers what is asked beforehand for it, and nothing else', async () => {
  expect(await preflight('/put', 'https://any.example')).toMatchObject({
    cors: { 'allow-origin': 'https://any.example', 'allow-methods': expect.stringContaining('PUT'), 'allow-headers': 'x-user' },
    seen: [],
  });
  expect((await ask('/put', { origin: 'https://any.example' }, 'PUT')).cors['allow-origin']).toBe('https://any.example');
  expect(await preflight('/put', 'https://any.example', 'DELETE')).toMatchObject({ cors: {}, seen: ['OPTIONS'] });
});

it('elsewhere everything is the app’s, and so is an OPTIONS that is no preflight', async () => {
  expect(await preflight('/other', 'https://shop.example.com')).toMatchObject({ body: 'answer', cors: {}, seen: ['OPTIONS'] });
  expect(await ask('/shop/1', {}, 'OPTIONS')).toMatchObject({ body: 'answer', seen: ['OPTIONS'] });
});
