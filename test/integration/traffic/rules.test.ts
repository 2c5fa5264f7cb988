import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { eventually } from '../../support/eventually.js';
import { call } from '../../support/http-call.js';

/** Real Envoys: what a rule matches and what it does to a request, the same under every form of address. */

let rig: EnvoyRig;
let caller: RigSidecar;
let mirrored: string[] = [];
beforeAll(async () => {
  rig = await createRig();
  caller = await rig.add({ appId: 'web' });
  await rig.add({ appId: 'orders' });
  await rig.add({ appId: 'canary' });
  await rig.add({
    appId: 'shadow',
    app: (request, response) => {
      mirrored.push(`${request.method} ${request.url}`);
      request.resume();
      response.writeHead(500).end();
    },
  });
});
afterAll(() => rig.close());

const use = (rules: string) =>
  rig.update({
    resources: `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec:
  parentRefs: [{ kind: Service, group: "", name: orders }]
  rules:
${rules}
`,
  });
const FORMS = [
  ['path', '/v1.0/invoke/orders/method', {}],
  ['header', '', { 'dapr-app-id': 'orders' }],
  ['basic auth', '', { authorization: `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}` }],
] as const;
const everyForm = async (path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}) =>
  Promise.all(
    FORMS.map(([, base, headers]) => call(caller.api + base + path, { ...options, headers: { ...options.headers, ...headers } })),
  );
const seenBy = async (path: string, options: Parameters<typeof everyForm>[1] = {}): Promise<string[]> => {
  const answers = await everyForm(path, options);
  return [
    ...new Set(
      answers.map(({ status, body }) => {
        if (status !== 200) return `status ${status}`;
        const { from, url } = JSON.parse(body) as Seen;
        return `${from} ${url}`;
      }),
    ),
  ];
};

it('matches paths whole, by segments and by expression, in Gateway API’s order', async () => {
  await use(`
    - matches: [{ path: { type: PathPrefix, value: /a } }]
    - matches: [{ path: { type: PathPrefix, value: /a/b/ } }, { path: { type: Exact, value: /exact } }]
      backendRefs: [{ name: canary }]
    - matches: [{ path: { type: RegularExpression, value: "^/items/[0-9]{1,64}(/.*)?$" } }]
      backendRefs: [{ name: canary }]
`);
  expect(await seenBy('/a?x=1')).toEqual(['orders /a?x=1']);
  expect(await seenBy('/a/c')).toEqual(['orders /a/c']);
  expect(await seenBy('/a/b')).toEqual(['canary /a/b']);
  expect(await seenBy('/a/b/c?x=%2F')).toEqual(['canary /a/b/c?x=%2F']);
  expect(await seenBy('/exact?y')).toEqual(['canary /exact?y']);
  expect(await seenBy('/items/17/lines')).toEqual(['canary /items/17/lines']);
  expect(await seenBy('/items/x')).toEqual(['status 404']);
  expect(await seenBy('/ab')).toEqual(['status 404']);
});

it('refuses what no rule matches in Dapr’s words', async () => {
  await use('    - matches: [{ path: { value: /only } }]');
  for (const { status, headers, body } of await everyForm('/other'))
    expect([status, headers['content-type'], JSON.parse(body)]).toEqual([
      404,
      'application/json',
      { errorCode: 'ERR_DIRECT_INVOKE', message: 'failed to invoke, id: orders, err: no rule matches the call' },
    ]);
});

it('matches headers, query and method', async () => {
  await use(`
    - {}
    - matches:
        - headers: [{ name: X-Canary, value: "always" }]
        - queryParams: [{ name: v, value: "2" }]
        - headers: [{ name: user-agent, type: RegularExpression, value: "curl/.*" }]
          method: PUT
      backendRefs: [{ name: canary }]
`);
  expect(await seenBy('/a')).toEqual(['orders /a']);
  expect(await seenBy('/a', { headers: { 'x-canary': 'always' } })).toEqual(['canary /a']);
  expect(await seenBy('/a', { headers: { 'x-canary': 'never' } })).toEqual(['orders /a']);
  expect(await seenBy('/a?v=2')).toEqual(['canary /a?v=2']);
  expect(await seenBy('/a?v=22')).toEqual(['orders /a?v=22']);
  expect(await seenBy('/a', { method: 'PUT', body: 'x', headers: { 'user-agent': 'curl/8' } })).toEqual(['canary /a']);
  expect(await seenBy('/a', { headers: { 'user-agent': 'curl/8' } })).toEqual(['orders /a']);
});

it('rewrites paths without losing or doubling slashes, and keeps the query', async () => {
  const rewrite = (path: string, change: string) => `
    - matches: [{ path: { type: PathPrefix, value: ${path} } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: ${change} } }]`;
  const prefix = (text: string) => `{ type: ReplacePrefixMatch, replacePrefixMatch: ${text} }`;
  await use(
    rewrite('/foo', prefix('/xyz')) +
      rewrite('/gone', prefix('/')) +
      rewrite('/bar', prefix('/xyz/')) +
      rewrite('/all', '{ type: ReplaceFullPath, replaceFullPath: /one }') +
      rewrite('/', prefix('/front')),
  );
  for (const [from, to] of [
    ['/foo/bar?x=1', '/xyz/bar?x=1'],
    ['/foo', '/xyz'],
    ['/foo/', '/xyz/'],
    ['/gone/bar', '/bar'],
    ['/gone', '/'],
    ['/gone?x=1', '/?x=1'],
    ['/bar/baz', '/xyz/baz'],
    ['/all/of/it?x=1', '/one?x=1'],
    ['/else/where', '/front/else/where'],
  ] as const)
    expect([from, await seenBy(from)]).toEqual([from, [`orders ${to}`]]);
});

it('redirects: to the same app by the same form of address, or elsewhere without it', async () => {
  const redirect = (path: string, change: string) => `
    - matches: [{ path: { value: ${path} } }]
      filters: [{ type: RequestRedirect, requestRedirect: ${change} }]`;
  await use(
    redirect('/old', '{ path: { type: ReplacePrefixMatch, replacePrefixMatch: /new }, statusCode: 308 }') +
      redirect('/full', '{ path: { type: ReplaceFullPath, replaceFullPath: /there } }') +
      redirect('/out', '{ scheme: https, hostname: shop.example.com, port: 8443, statusCode: 301 }') +
      redirect('/move', '{ hostname: shop.example.com, path: { type: ReplacePrefixMatch, replacePrefixMatch: / } }'),
  );
  const at = (answers: Awaited<ReturnType<typeof everyForm>>) =>
    answers.map(({ status, headers }) => `${status} ${headers.location}`);
  const own = caller.api;
  expect(at(await everyForm('/old/a?x=1'))).toEqual([
    `308 ${own}/v1.0/invoke/orders/method/new/a?x=1`,
    `308 ${own}/new/a?x=1`,
    `308 ${own}/new/a?x=1`,
  ]);
  expect(at(await everyForm('/full/a'))).toEqual([
    `302 ${own}/v1.0/invoke/orders/method/there`,
    `302 ${own}/there`,
    `302 ${own}/there`,
  ]);
  expect(new Set(at(await everyForm('/out/a?x=1')))).toEqual(new Set(['301 https://shop.example.com:8443/out/a?x=1']));
  expect(new Set(at(await everyForm('/move/a')))).toEqual(new Set(['302 http://shop.example.com/a']));
});

it('changes headers of requests and answers, for all and for one backend', async () => {
  await use(`
    - filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: X-Set, value: "100%" }], add: [{ name: x-add, value: b }], remove: [x-gone] }
        - type: ResponseHeaderModifier
          responseHeaderModifier: { add: [{ name: x-answer, value: here }], remove: [content-type] }
      backendRefs:
        - name: canary
          filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-backend, value: canary }] } }]
`);
  for (const { headers, body } of await everyForm('/a', { headers: { 'x-set': 'a', 'x-add': 'a', 'x-gone': 'a' } })) {
    const seen = (JSON.parse(body) as Seen).headers;
    expect(seen).toMatchObject({ 'x-set': '100%', 'x-add': 'a, b', 'x-backend': 'canary', 'dapr-callee-app-id': 'canary' });
    expect(Object.keys(seen)).not.toContain('x-gone');
    expect(headers).toMatchObject({ 'x-answer': 'here' });
    expect(Object.keys(headers)).not.toContain('content-type');
  }
});

it('mirrors a share of the calls, whatever becomes of the copies', async () => {
  await use('    - filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: shadow } } }]');
  mirrored = [];
  for (const { status, body } of await everyForm('/a?x=1', { method: 'POST', body: 'hello' }))
    expect([status, (JSON.parse(body) as Seen).from]).toEqual([200, 'orders']);
  await eventually(() => expect(mirrored).toEqual(Array(3).fill('POST /a?x=1')));
  await use('    - filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: shadow }, percent: 0 } }]');
  await everyForm('/b');
  expect(mirrored).not.toContain('GET /b');
});

it('keeps a caller at its instance by cookie', async () => {
  for (const name of ['canary-2', 'canary-3']) await rig.add({ appId: 'canary', instanceId: name });
  await use(`
    - backendRefs: [{ name: canary }]
      sessionPersistence: { sessionName: sticky }
`);
  for (const [, base, headers] of FORMS) {
    const first = await call(`${caller.api}${base}/a`, { headers });
    const cookie = String(first.headers['set-cookie']).split(';')[0] ?? '';
    expect(cookie).toMatch(/^sticky=/);
    const { from } = JSON.parse(first.body) as Seen;
    for (let i = 0; i < 8; i += 1) {
      const again = await call(`${caller.api}${base}/a`, { headers: { ...headers, cookie } });
      expect((JSON.parse(again.body) as Seen).from).toBe(from);
    }
  }
});
