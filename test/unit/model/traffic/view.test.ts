import { describe, expect, it } from 'vitest';
import { selectRoute, type TrafficRequest } from '../../../../src/model/traffic/select.js';
import { steering, trafficView, viewKey } from '../../../../src/model/traffic/view.js';
import { resourcesOf } from '../../../support/resources.js';

interface Doc {
  readonly name: string;
  readonly rules: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly parent?: string;
  readonly parentNamespace?: string;
  readonly created?: string;
}
const doc = ({ name, rules, kind = 'HTTPRoute', namespace, parent = 'orders', parentNamespace, created }: Doc) => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name}${namespace ? `, namespace: ${namespace}` : ''}${created ? `, creationTimestamp: "${created}"` : ''} }
spec:
  parentRefs: [{ kind: Service, group: "", name: ${parent}${parentNamespace ? `, namespace: ${parentNamespace}` : ''} }]
  rules: ${rules}
`;
const view = async (namespace: string, ...docs: Doc[]) =>
  trafficView(steering((await resourcesOf(docs.map(doc).join('---'))).policies), namespace);
const orders = { namespace: 'default', appId: 'orders' };
const to = (name: string, match = '{}') => `[{ matches: [${match}], backendRefs: [{ name: ${name} }] }]`;
const request = (path: string, more: Partial<TrafficRequest> = {}): TrafficRequest => ({
  path,
  method: 'GET',
  headers: new Map(),
  ...more,
});
/** The first backend of the rule that a request gets. */
const goesTo = async (docs: readonly Doc[], asked: TrafficRequest, namespace = 'default') => {
  const selection = selectRoute((await view(namespace, ...docs)).app(orders), asked);
  return typeof selection === 'string' ? selection : selection.route.backends[0]?.app.appId;
};

describe('among matching rules the first one by Gateway API’s order counts', () => {
  it('whatever the documents’ order: exact path, expression, longest prefix, method, headers, query', async () => {
    const docs = [
      { name: 'a', rules: to('any') },
      { name: 'b', rules: to('query', '{ queryParams: [{ name: q, value: "1" }] }') },
      { name: 'c', rules: to('header', '{ headers: [{ name: h, value: "1" }] }') },
      { name: 'd', rules: to('method', '{ method: PUT }') },
      { name: 'e', rules: to('prefix', '{ path: { value: /a } }') },
      { name: 'f', rules: to('longer', '{ path: { value: /a/b } }') },
      { name: 'g', rules: to('regex', '{ path: { type: RegularExpression, value: "/a/b/[0-9]+" } }') },
      { name: 'h', rules: to('exact', '{ path: { type: Exact, value: /a/b/1 } }') },
    ];
    const everything = { method: 'PUT', headers: new Map([['h', '1']]) };
    const found = [];
    for (const path of ['/a/b/1?q=1', '/a/b/2?q=1', '/a/b/x?q=1', '/a/x?q=1', '/x?q=1'])
      found.push(await goesTo(docs, request(path, everything)));
    found.push(await goesTo(docs, request('/x?q=1', { headers: everything.headers })));
    found.push(await goesTo(docs, request('/x?q=1')), await goesTo(docs, request('/x')));
    expect(found).toEqual(['exact', 'regex', 'longer', 'prefix', 'method', 'header', 'query', 'any']);
  });

  it('of equal ones the older document, then the first by name, then the first rule', async () => {
    const old = { name: 'z', rules: to('old'), created: '2024-01-01T00:00:00Z' };
    expect(await goesTo([{ name: 'a', rules: to('young'), created: '2025-01-01T00:00:00Z' }, old], request('/'))).toBe('old');
    expect(
      await goesTo(
        [
          { name: 'b', rules: to('b') },
          { name: 'a', rules: to('a') },
        ],
        request('/'),
      ),
    ).toBe('a');
    const two = '[{ backendRefs: [{ name: one }] }, { backendRefs: [{ name: two }] }]';
    expect(await goesTo([{ name: 'a', rules: two }], request('/'))).toBe('one');
  });
});

describe('a call that no rule matches', () => {
  const only = { name: 'a', rules: to('x', '{ path: { value: /only } }') };
  it('is refused', async () => {
    expect(await goesTo([only], request('/other'))).toBe('refused');
  });
  it('goes to the app when rules are about gRPC and it is not', async () => {
    const grpc = { name: 'a', kind: 'GRPCRoute', rules: to('x', '{ method: { service: shop.Ledger } }') };
    const headers = new Map([['content-type', 'application/grpc+proto']]);
    expect(await goesTo([grpc], request('/shop.Ledger/Post'))).toBe('app');
    expect(await goesTo([grpc], request('/shop.Ledger/Post', { headers }))).toBe('x');
    expect(await goesTo([grpc], request('/shop.Other/Post', { headers }))).toBe('refused');
  });
});

describe('whose calls a route is about', () => {
  const producer = { name: 'p', namespace: 'default', rules: to('producer') };
  const consumer = { name: 'c', namespace: 'shop', parentNamespace: 'default', rules: to('consumer') };
  it('everybody’s, when it stands in its app’s namespace', async () => {
    for (const namespace of ['default', 'shop', 'other'])
      expect(await goesTo([producer], request('/'), namespace)).toBe('producer');
  });
  it('those of its own namespace, when it is for an app elsewhere; there it replaces the app’s own', async () => {
    expect(await goesTo([producer, consumer], request('/'), 'shop')).toBe('consumer');
    expect(await goesTo([producer, consumer], request('/'), 'other')).toBe('producer');
    expect(await goesTo([consumer], request('/'), 'other')).toBe('app');
  });
  it('everybody’s, for the app in every namespace, when it names none', async () => {
    const made = await view('shop', { name: 'n', rules: to('x') });
    for (const namespace of ['default', 'shop'])
      expect(made.app({ namespace, appId: 'orders' })?.routes[0]?.backends[0]?.app).toEqual({
        namespace,
        appId: 'x',
        version: '',
      });
    expect(made.parents).toEqual([{ namespace: 'shop', appId: 'orders', version: '' }]);
  });
});

describe('a view', () => {
  it('has the same key for the same content and another one for another', async () => {
    const policies = async (rules: string) => steering((await resourcesOf(doc({ name: 'a', rules }))).policies);
    expect(viewKey('default', await policies(to('x')))).toBe(viewKey('default', await policies(to('x'))));
    expect(viewKey('default', await policies(to('x')))).not.toBe(viewKey('default', await policies(to('y'))));
    expect(viewKey('default', await policies(to('x')))).not.toBe(viewKey('shop', await policies(to('x'))));
    expect(viewKey('default', [])).toBe('');
  });
});
