import { beforeEach, expect, it } from 'vitest';
import { DiscoveryResponse } from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import type { DeltaRequest } from '../../../src/xds/request-decision.js';
import type { Resource } from '../../../src/xds/resource.js';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import { createStateSide, type StateSide } from '../../../src/xds/state-of-the-world.js';

const { cluster, endpoint, route } = resourceTypes;
let requests: DeltaRequest[];
let settling: boolean;
let side: StateSide;
beforeEach(() => {
  requests = [];
  settling = false;
  side = createStateSide(
    () => ({ request: (_, request) => void requests.push(request) }),
    () => settling,
  );
});

const resource = (name: string, version = '1'): Resource => ({
  name,
  version,
  bytes: Buffer.from(`${name}@${version}`),
  describe: () => null,
});
const ask = (typeUrl: typeof cluster | typeof endpoint | typeof route, more: Partial<Parameters<StateSide['request']>[1]> = {}) =>
  side.request(typeUrl, { version: '', names: [], nonce: '', error: undefined, ...more });
function push(
  typeUrl: typeof cluster | typeof endpoint | typeof route,
  nonce: string,
  upserts: Resource[],
  removals: string[] = [],
) {
  const response = DiscoveryResponse.decode(side.encode({ typeUrl, nonce, version: '7', upserts, removals }));
  expect([response.typeUrl, response.nonce, response.versionInfo]).toEqual([typeUrl, nonce, '7']);
  return response.resources.map(({ typeUrl: url, value }) => {
    expect(url).toBe(typeUrl);
    return value.toString();
  });
}

it('makes differences of the names that a client wants', () => {
  ask(endpoint, { names: ['a', 'b'] });
  push(endpoint, '1', [resource('a'), resource('b')]);
  ask(endpoint, { names: ['a', 'b'], nonce: '1', version: '7' });
  ask(endpoint, { names: ['b', 'c'], nonce: '1', version: '7' });
  expect(requests.map(({ nonce, subscribe, unsubscribe }) => ({ nonce, subscribe, unsubscribe }))).toEqual([
    { nonce: '', subscribe: ['a', 'b'], unsubscribe: [] },
    { nonce: '1', subscribe: [], unsubscribe: [] },
    { nonce: '1', subscribe: ['c'], unsubscribe: ['a'] },
  ]);
});

it('does not listen to the answer of an older response: the client says it again', () => {
  ask(endpoint, { names: ['a'] });
  push(endpoint, '1', [resource('a')]);
  push(endpoint, '2', [resource('a', '2')]);
  ask(endpoint, { names: ['a', 'b'], nonce: '1' });
  expect(requests).toHaveLength(1);
  ask(endpoint, { names: ['a', 'b'], nonce: '2' });
  expect(requests[1]).toMatchObject({ nonce: '2', subscribe: ['b'] });
});

it('sends all clusters each time, what was refused as it was accepted before', () => {
  ask(cluster);
  expect(push(cluster, '1', [resource('a'), resource('b')])).toEqual(['a@1', 'b@1']);
  ask(cluster, { nonce: '1' });
  expect(push(cluster, '2', [resource('a', '2'), resource('c', '2')])).toEqual(['a@2', 'b@1', 'c@2']);
  ask(cluster, { nonce: '2', error: 'c is bad' });
  expect(requests.at(-1)?.error).toBe('c is bad');
  // The stream sends the parts of what was refused again.
  expect(push(cluster, '3', [resource('a', '2')])).toEqual(['a@2', 'b@1']);
  ask(cluster, { nonce: '3' });
  expect(push(cluster, '4', [resource('c', '2')])).toEqual(['a@2', 'b@1', 'c@2']);
  ask(cluster, { nonce: '4', error: 'c is bad' });
  expect(push(cluster, '5', [], ['b'])).toEqual(['a@2']);
});

it('sends of other types what changed, and that there are no endpoints', () => {
  ask(route, { names: ['r', 's'] });
  expect(push(route, '1', [resource('r'), resource('s')])).toEqual(['r@1', 's@1']);
  ask(route, { names: ['r', 's'], nonce: '1' });
  expect(push(route, '2', [resource('r', '2')], ['s'])).toEqual(['r@2']);
  ask(endpoint, { names: ['gone'] });
  expect(push(endpoint, '3', [], ['gone'])).toEqual([expect.stringContaining('gone')]);
});

it('ends the wildcard of a client that names clusters after it named none', () => {
  ask(cluster);
  push(cluster, '1', [resource('a'), resource('b')]);
  ask(cluster, { nonce: '1', names: ['a'] });
  expect(requests.at(-1)).toMatchObject({ subscribe: ['a'], unsubscribe: ['*'] });
});

it('lets a client that has something wait until the control plane knows what exists, and answers a new one at once', () => {
  settling = true;
  ask(cluster, { version: '7' });
  ask(endpoint, { version: '7', names: ['a'] });
  ask(endpoint, { version: '7', names: ['a', 'b'] });
  ask(route, { names: ['r'] });
  expect(requests).toHaveLength(1);
  side.release();
  expect(requests).toHaveLength(1);
  settling = false;
  side.release();
  side.release();
  expect(requests.slice(1).map(({ subscribe }) => subscribe)).toEqual([[], ['a', 'b']]);
});
