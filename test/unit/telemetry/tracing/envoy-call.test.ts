import { describe, expect, it } from 'vitest';
import { describeCall } from '../../../../src/telemetry/tracing/envoy-call.js';

const name = (tags: Record<string, string>, inbound = false) =>
  describeCall(new Map(Object.entries({ 'http.method': 'GET', ...tags })), { appId: 'shop', inbound })?.name;
const to = (path: string, cluster = '', more = {}) => ({
  'http.url': `http://host${path}`,
  'upstream_cluster.name': cluster,
  ...more,
});

describe('the name of a span of Envoy', () => {
  it.each([
    [to('/work?token=1', 'app|default|worker'), 'CallLocal/worker/work'],
    [to('/work', 'app|default|worker@v2'), 'CallLocal/worker/work'],
    [to('/v1/pets', 'external|default|petstore'), 'CallLocal/petstore/v1/pets'],
    [to('/v1.0/invoke/nobody/method/a/b'), 'CallLocal/nobody/a/b'],
    [to('/v1.0/actors/Counter/7/method/add', 'actor|default|Counter'), 'CallActor/Counter/add'],
    [to('/v1.0/state/store/key', 'local|service-http'), '/v1.0/state/store/key'],
    [to('/pkg.Service/Do', 'app|default|worker', { 'grpc.path': '/pkg.Service/Do' }), '/pkg.Service/Do'],
    [to('/v1.0/healthz/outbound', 'local|service-http'), undefined],
  ])('%j of a call by the app is %s', (tags, wanted) => expect(name(tags)).toBe(wanted));
  it.each([
    [to('/work', 'local|app'), 'CallLocal/shop/work'],
    [to('/v1.0/invoke/x/method/y', 'local|app'), 'CallLocal/shop/v1.0/invoke/x/method/y'],
    [to('/v1.0/actors/Counter/7/method/add', 'local|service-http'), 'CallActor/Counter/add'],
  ])('%j of a call for the app is %s', (tags, wanted) => expect(name(tags, true)).toBe(wanted));
});

it('has no query anywhere: it may hold a token', () => {
  const call = describeCall(new Map(Object.entries(to('/work?token=secret#x', 'app|default|worker'))), {
    appId: 'shop',
    inbound: false,
  });
  expect(JSON.stringify(call)).not.toContain('secret');
});
