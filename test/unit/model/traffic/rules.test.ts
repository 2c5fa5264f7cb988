import { describe, expect, it } from 'vitest';
import { readRouteDocument } from '../../../../src/model/traffic/document.js';
import { readResources, resourcesOf } from '../../../support/resources.js';

const http = (rules: string, parents = '[{ kind: Service, group: "", name: orders }]', namespace = '') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r${namespace && `, namespace: ${namespace}`} }
spec: { parentRefs: ${parents}, rules: ${rules} }
`;
const read = async (text: string) => {
  const [policy] = (await resourcesOf(text)).policies;
  return policy && readRouteDocument(policy);
};
const routesOf = async (text: string) => (await read(text))?.attachments[0]?.routes ?? [];
const problemsOf = async (text: string) =>
  (await readResources(text)).problems.map((line) => line.replace(/^.*document \d+: /, ''));

describe('an HTTPRoute', () => {
  it('is one route for each match, and one for everything without matches', async () => {
    expect((await routesOf(http('[{}]'))).map(({ match }) => match)).toEqual([
      { path: { kind: 'prefix', value: '/' }, headers: [], query: [], method: '' },
    ]);
    const matches = '[{ matches: [{ path: { value: /a/ } }, { method: PUT }] }]';
    expect((await routesOf(http(matches))).map(({ match }) => [match.path.value, match.method])).toEqual([
      ['/a', ''],
      ['/', 'PUT'],
    ]);
  });

  it('goes to its parent when it names no backend', async () => {
    const [route] = await routesOf(http('[{}]'));
    expect(route?.backends).toEqual([{ app: { namespace: '', appId: 'orders', version: '' }, weight: 1 }]);
  });

  it('knows versions, namespaces and weights of backends', async () => {
    const backends = '[{ name: orders@v2 }, { name: pay, namespace: prod, weight: 0 }]';
    const [route] = await routesOf(http(`[{ backendRefs: ${backends} }]`, undefined, 'shop'));
    expect(route?.backends.map(({ app, weight }) => [app, weight])).toEqual([
      [{ namespace: 'shop', appId: 'orders', version: 'v2' }, 1],
      [{ namespace: 'prod', appId: 'pay', version: '' }, 0],
    ]);
  });

  it('counts only the first of several conditions on one header, whatever its case', async () => {
    const [route] = await routesOf(http('[{ matches: [{ headers: [{ name: X-A, value: "1" }, { name: x-a, value: "2" }] }] }]'));
    expect(route?.match.headers).toEqual([{ kind: 'exact', name: 'x-a', value: '1' }]);
  });

  it('reads times, retries, mirrors and changes', async () => {
    const [route] = await routesOf(
      http(`[{
        timeouts: { request: 1m30s, backendRequest: 500ms },
        retry: { attempts: 3, codes: [503, 500, 503], backoff: 100ms },
        filters: [
          { type: RequestMirror, requestMirror: { backendRef: { name: copy }, fraction: { numerator: 1, denominator: 8 } } },
          { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: "" } } } ] }]`),
    );
    expect(route).toMatchObject({
      requestMs: 90_000,
      attemptMs: 500,
      retry: {
        retries: 3,
        statuses: [
          [500, 500],
          [503, 503],
        ],
        waitMs: 100,
        maxWaitMs: 100,
      },
      filters: { mirrors: [{ app: { appId: 'copy' }, perMillion: 125_000 }], rewrite: { path: { kind: 'prefix', value: '/' } } },
    });
  });

  it('leaves parents alone that are no apps, and says so', async () => {
    const document = await read(http('[{}]', '[{ name: edge }, { kind: Service, name: orders }]'));
    expect(document?.attachments.map(({ parent }) => parent.appId)).toEqual(['orders']);
    expect(document?.foreign).toEqual([
      {
        parent: 'Gateway edge',
        reason: 'the parent is a Gateway (kind is left out); write kind: Service and group: "" for an app',
      },
    ]);
  });
});

describe('a GRPCRoute', () => {
  const grpc = (method: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: r }
spec:
  parentRefs: [{ kind: Service, group: "", name: ledger }]
  rules: [{ matches: [{ method: ${method} }] }]
`;
  it.each([
    ['{ service: shop.Ledger, method: Post }', { kind: 'exact', value: '/shop.Ledger/Post' }],
    ['{ service: shop.Ledger }', { kind: 'prefix', value: '/shop.Ledger' }],
    ['{ method: Post }', { kind: 'regex', value: '/[^/]+/Post' }],
    ['{ type: RegularExpression, service: "shop.*", method: P.* }', { kind: 'regex', value: '/(?:shop.*)/(?:P.*)' }],
    ['{}', { kind: 'prefix', value: '/' }],
  ])('%s is a path', async (method, path) => {
    const [route] = await routesOf(grpc(method));
    expect(route).toMatchObject({ protocol: 'grpc', match: { path } });
  });
});

describe('a TrafficSplit', () => {
  const split = (weights: string) => `
apiVersion: split.smi-spec.io/v1alpha1
kind: TrafficSplit
metadata: { name: s, namespace: shop }
spec: { service: orders, backends: ${weights} }
`;
  it('is a route to its backends', async () => {
    const [route] = await routesOf(split('[{ service: orders@v1, weight: 90 }, { service: orders-v2, weight: 10 }]'));
    expect(route?.backends.map(({ app, weight }) => `${app.namespace} ${app.appId} ${app.version} ${weight}`)).toEqual([
      'shop orders v1 90',
      'shop orders-v2  10',
    ]);
  });
  it('takes quantities', async () => {
    const [route] = await routesOf(split('[{ service: a, weight: "1" }, { service: b, weight: 500m }]'));
    expect(route?.backends.map(({ weight }) => weight)).toEqual([1000, 500]);
  });
});

describe('what Envoy would refuse, or nobody meant, is refused with its place', () => {
  it.each([
    ['[{ backendRef: [] }]', 'spec.rules[0].backendRef: unknown field (did you mean backendRefs?); rename it'],
    ['[{ backendRefs: [{ name: a.b }] }]', 'spec.rules[0].backendRefs[0].name: expected an app id'],
    ['[{ backendRefs: [{ name: a, kind: Bucket }] }]', 'spec.rules[0].backendRefs[0].kind: expected Service'],
    ['[{ backendRefs: [{ name: a, weight: -1 }] }]', 'spec.rules[0].backendRefs[0].weight: expected at least 0'],
    ['[{ matches: [{ path: { value: a } }] }]', 'spec.rules[0].matches[0].path.value: expected a path that starts with /'],
    [
      '[{ matches: [{ path: { type: RegularExpression, value: "(" } }] }]',
      'spec.rules[0].matches[0].path.value: is no regular expression',
    ],
    [
      '[{ matches: [{ headers: [{ name: a, type: RegularExpression, value: "(?=a)" }] }] }]',
      'matches[0].headers[0].value: (?= is not known',
    ],
    ['[{ matches: [{ headers: [{ name: "a b", value: c }] }] }]', 'spec.rules[0].matches[0].headers[0].name: is no header name'],
    ['[{ matches: [{ headers: [{ name: ":path", value: c }] }] }]', 'headers[0].name: is no header; use method or path'],
    ['[{ filters: [{ type: ExtensionRef }] }]', 'spec.rules[0].filters[0].type: expected RequestHeaderModifier'],
    ['[{ filters: [{ type: URLRewrite }] }]', 'spec.rules[0].filters[0].urlRewrite: is missing; add it'],
    [
      '[{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Dapr-Caller-App-Id, value: root }] } }] }]',
      'set[0].name: may not be changed by a route; remove it',
    ],
    [
      '[{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: "x\\ny" }] } }] }]',
      'set[0].value: has control characters; remove them',
    ],
    [
      '[{ matches: [{ path: { type: Exact, value: /a } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /b } } }] }]',
      'spec.rules[0]: has ReplacePrefixMatch without a PathPrefix in every match',
    ],
    [
      '[{ filters: [{ type: RequestRedirect, requestRedirect: {} }], backendRefs: [{ name: a }] }]',
      'spec.rules[0]: has both a RequestRedirect and backendRefs; keep one',
    ],
    ['[{ timeouts: { request: 1 } }]', 'spec.rules[0].timeouts.request: expected string'],
    ['[{ timeouts: { request: 1s, backendRequest: 2s } }]', 'spec.rules[0].timeouts: backendRequest is longer than request'],
    ['[{ retry: { codes: [200] } }]', 'spec.rules[0].retry.codes[0]: expected at least 400'],
  ])('%s', async (rules, problem) => {
    expect(await problemsOf(http(rules))).toEqual([expect.stringContaining(problem)]);
  });
});
