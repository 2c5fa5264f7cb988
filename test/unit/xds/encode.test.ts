import { describe, expect, it } from 'vitest';
import { DeltaDiscoveryResponse } from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { encodeDelta } from '../../../src/xds/encode.js';
import type { Resource } from '../../../src/xds/resource.js';
import { resourceTypes } from '../../../src/xds/resource-types.js';
import { resourceOf } from '../../support/xds-fixtures.js';

const encode = (upserts: readonly Resource[], removals: readonly string[] = []) =>
  DeltaDiscoveryResponse.decode(encodeDelta({ typeUrl: resourceTypes.route, nonce: 'n1', version: '7', upserts, removals }));
const many = Array.from({ length: 300 }, (_, index) => resourceOf(`r${index}`, `${index}`));
const namesOf = (response: DeltaDiscoveryResponse) => response.resources.map(({ name }) => name);

describe('an encoded delta response', () => {
  it('is what the generated codec reads', () => {
    expect(encode([resourceOf('a', '1')], ['gone', 'too'])).toMatchObject({
      systemVersionInfo: '7',
      typeUrl: resourceTypes.route,
      nonce: 'n1',
      removedResources: ['gone', 'too'],
      resources: [{ name: 'a', version: '1', resource: { typeUrl: resourceTypes.route, value: Buffer.from('a@1') } }],
    });
  });

  it('may be empty', () => {
    expect(encode([])).toMatchObject({ resources: [], removedResources: [] });
  });

  it('holds exactly its own resources, though responses share encoded blocks', () => {
    expect(namesOf(encode(many))).toEqual(many.map(({ name }) => name));
    const changed = many.map((resource, index) => (index === 5 ? resourceOf('r5', 'new') : resource));
    expect(encode(changed).resources[5]?.version).toBe('new');
    const fewer = many.filter((_, index) => index !== 100);
    expect(namesOf(encode(fewer))).toEqual(fewer.map(({ name }) => name));
    expect(namesOf(encode(many.slice(0, 3)))).toEqual(['r0', 'r1', 'r2']);
    expect(namesOf(encode([...many].reverse()))).toEqual(many.map(({ name }) => name).reverse());
    expect(namesOf(encode(many))).toEqual(many.map(({ name }) => name));
  });
});
