import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explain } from '../../../src/control/explain.js';
import { watchForEmptied } from '../../../src/control/half-written.js';
import { routeStatuses } from '../../../src/control/route-status.js';
import { instanceOf, modelOf } from '../../support/model.js';
import { resourcesOf } from '../../support/resources.js';

const web = instanceOf({ appId: 'web' });
const orders = instanceOf({ appId: 'orders', labels: { version: 'v1' } });
const model = async (text: string) => modelOf([web, orders], [], await resourcesOf(text));
const route = (rules: string, parents = '[{ kind: Service, group: "", name: orders }]') => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r, namespace: default }
spec: { parentRefs: ${parents}, rules: ${rules} }
`;
const RESILIENCY = `
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec:
  policies: { timeouts: { t: 2s }, retries: { r: { maxRetries: 3 } }, circuitBreakers: { c: {} } }
  targets: { apps: { orders: { timeout: t, retry: r, circuitBreaker: c } } }
`;

describe('the status of a route', () => {
  it('is accepted, with its backends known', async () => {
    expect(routeStatuses(await model(route('[{ backendRefs: [{ name: orders@v1 }] }]')))).toEqual([
      expect.objectContaining({
        kind: 'HTTPRoute',
        name: 'r',
        parent: 'orders (default)',
        rules: 1,
        accepted: { status: true, reason: 'Accepted', message: '' },
        resolvedRefs: { status: true, reason: 'ResolvedRefs', message: '' },
      }),
    ]);
  });
  it('names backends and versions that nobody is', async () => {
    const rules = '[{ backendRefs: [{ name: orders@v2 }, { name: nobody, namespace: prod }] }]';
    expect(routeStatuses(await model(route(rules)))[0]?.resolvedRefs).toEqual({
      status: false,
      reason: 'BackendNotFound',
      message: 'no instance of orders@v2 (default), nobody (prod) is attached',
    });
  });
  it('says for each parent whether it is one', async () => {
    const parents = '[{ name: edge }, { kind: Service, group: "", name: orders }]';
    expect(routeStatuses(await model(route('[{}]', parents))).map(({ parent, accepted }) => [parent, accepted.reason])).toEqual([
      ['orders (default)', 'Accepted'],
      ['Gateway edge', 'NoMatchingParent'],
    ]);
  });
  it('is told of a Resiliency too, with what is not in force', async () => {
    const [status] = routeStatuses(await model(RESILIENCY.replace('retry: r', 'retry: unknown')));
    expect(status).toMatchObject({
      kind: 'Resiliency',
      parent: '',
      accepted: { status: true, reason: 'PartiallyInvalid', message: expect.stringContaining('unknown is not defined') },
    });
  });
});

describe('where a call goes', () => {
  const ask = async (text: string, path = '/a', more = {}) =>
    explain(await model(text), { target: { appId: 'orders' }, path, method: 'GET', headers: new Map(), ...more });

  it('to the app, with what its Resiliency says', async () => {
    expect(await ask(RESILIENCY)).toEqual({
      caller: 'default/web',
      app: 'default/orders',
      rule: 'app',
      backends: [{ app: 'default/orders', percent: 100, instances: [{ instanceId: 'orders', state: 'ready' }] }],
      mirrors: [],
      path: '/a',
      requestTimeoutMs: 0,
      attemptTimeoutMs: 2000,
      retry: expect.objectContaining({ retries: 3 }),
      circuitBreaker: { failures: 6, openMs: 60_000 },
    });
  });
  it('to the backends of the rule that takes it, by the path that they see', async () => {
    const rules = `[{
      matches: [{ path: { value: /v2 } }],
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }],
      backendRefs: [{ name: orders, weight: 3 }, { name: nobody }], timeouts: { request: 4s }, retry: { attempts: 1 } }]`;
    expect(await ask(route(rules) + RESILIENCY, '/v2/items?x=1', { from: 'web' })).toMatchObject({
      caller: 'default/web',
      rule: 'HTTPRoute r',
      backends: [
        { app: 'default/orders', percent: 75 },
        { app: 'default/nobody', percent: 25, instances: [] },
      ],
      path: '/items?x=1',
      requestTimeoutMs: 4000,
      attemptTimeoutMs: 2000,
      retry: { retries: 1 },
    });
  });
  it('nowhere, when rules are about the app and none takes the call', async () => {
    expect(await ask(route('[{ matches: [{ path: { value: /v2 } }] }]'))).toMatchObject({ rule: 'refused', backends: [] });
  });
  it('is not known for a caller that is not there', async () => {
    expect(await ask('', '/a', { from: 'nobody' })).toBeUndefined();
  });
});

describe('a file that is being written', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'weft-half-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is seen once when it becomes empty, and not when it always was', () => {
    const [always, file] = [join(directory, 'always'), join(directory, 'file')] as const;
    writeFileSync(always, '');
    writeFileSync(file, 'something');
    const someEmptied = watchForEmptied([directory, join(directory, 'missing')]);
    expect(someEmptied()).toBe(false);
    writeFileSync(file, '');
    expect([someEmptied(), someEmptied()]).toEqual([true, false]);
    writeFileSync(file, 'again');
    expect(someEmptied()).toBe(false);
    expect(watchForEmptied([file])()).toBe(false);
  });
});
