import { expect, it } from 'vitest';
import { RouteConfiguration } from '../../../../src/gen/envoy/config/route/v3/route.js';
import { Route } from '../../../../src/gen/envoy/config/route/v3/route_components.js';
import { messageTypes, pack } from '../../../../src/xds/translate/any.js';
import { act, byPrefix, byValue } from '../../../../src/xds/translate/matcher.js';
import { makeResource } from '../../../../src/xds/translate/resource.js';

const named = (name: string) => makeResource(messageTypes.routeConfiguration, 'r', RouteConfiguration.fromPartial({ name }));
const route = (name: string) => act(pack(messageTypes.route, Route.fromPartial({ name })));

it('a resource’s version is its content’s', () => {
  expect(named('a').version).toBe(named('a').version);
  expect(named('a').version).not.toBe(named('b').version);
  expect(named('a').version).toMatch(/^[0-9a-f]{16}$/);
});

it('a description shows what is inside every Any', () => {
  const message = RouteConfiguration.fromPartial({
    virtualHosts: [{ matcher: byPrefix(':path', new Map([['/a', route('inner')]]), route('else')) }],
  });
  const text = JSON.stringify(makeResource(messageTypes.routeConfiguration, 'r', message).describe());
  expect(text).toContain('"@type":"type.googleapis.com/envoy.config.route.v3.Route","name":"inner"');
  expect(text).not.toContain('typeUrl');
});

it('a matcher’s bytes do not depend on the order of its entries', () => {
  const entries = [
    ['b', route('b')],
    ['a', route('a')],
    ['10', route('10')],
  ] as const;
  const bytes = (order: typeof entries | readonly (typeof entries)[number][]) => {
    const matcher = byPrefix(':path', new Map([['/', byValue('h', new Map(order), route('none'))]]), route('none'));
    return makeResource(messageTypes.routeConfiguration, 'r', RouteConfiguration.fromPartial({ virtualHosts: [{ matcher }] }))
      .version;
  };
  expect(bytes([...entries].reverse())).toBe(bytes(entries));
});

it('a map without entries, which Envoy refuses, is left out', () => {
  const otherwise = route('else');
  expect(byValue('h', new Map(), otherwise)).toBe(otherwise);
});
