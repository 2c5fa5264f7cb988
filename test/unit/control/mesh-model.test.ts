import { describe, expect, it } from 'vitest';
import { buildMeshModel, mergeSpecs } from '../../../src/control/mesh-model.js';
import { Component } from '../../../src/gen/weft/config/v1/config.js';
import { PLAIN_PROFILE } from '../../../src/mesh/profile.js';
import type { ResourceSet } from '../../../src/model/mesh-model.js';
import { instanceOf } from '../../support/instances.js';

const component = (name: string, change: { namespace?: string; scopes?: string[] } = {}) =>
  Component.fromPartial({ name, ...change });
const setOf = (change: Partial<ResourceSet>): ResourceSet => ({
  components: [],
  subscriptions: [],
  configurations: [],
  policies: [],
  ...change,
});
const modelOf = (set: ResourceSet, ...instances: ReturnType<typeof instanceOf>[]) =>
  buildMeshModel({ instances, placements: [], setFor: () => set, profile: PLAIN_PROFILE });

describe('the mesh model', () => {
  it('gives an app the resources of its namespace and scopes', () => {
    const set = setOf({
      components: [
        component('all'),
        component('mine', { scopes: ['orders'] }),
        component('theirs', { scopes: ['checkout'] }),
        component('elsewhere', { namespace: 'shop' }),
      ],
    });
    const orders = instanceOf();
    expect(
      modelOf(set, orders)
        .resourcesFor(orders)
        .components.map(({ name }) => name),
    ).toEqual(['all', 'mine']);
  });

  it('makes one value for all instances of an app', () => {
    const [one, two] = [instanceOf(), instanceOf({ instanceId: 'orders-2' })];
    const model = modelOf(setOf({}), one, two);
    expect(model.resourcesFor(one)).toBe(model.resourcesFor(two));
    expect(model.configurationFor(one)).toBe(model.configurationFor(two));
  });

  it('merges Configurations, later ones winning, and names the resiliency policies in force', () => {
    const orders = instanceOf();
    const set = setOf({
      configurations: [
        { name: 'base', spec: { api: { allowed: [1] }, tracing: { samplingRate: '1' } }, source: 'a.yaml' },
        { name: 'late', spec: { tracing: { samplingRate: '0' } }, source: 'b.yaml' },
      ],
      policies: [
        { kind: 'Resiliency', name: 'r', namespace: '', scopes: [], spec: {}, source: 'c.yaml' },
        { kind: 'Resiliency', name: 'other', namespace: 'shop', scopes: [], spec: {}, source: 'c.yaml' },
      ],
    });
    const { specJson, resiliencyNames } = modelOf(set, orders).configurationFor(orders);
    expect(JSON.parse(specJson)).toEqual({ api: { allowed: [1] }, tracing: { samplingRate: '0' } });
    expect(resiliencyNames).toEqual(['r']);
  });

  it('merges objects and replaces everything else', () => {
    expect(mergeSpecs({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, d: { e: 1 } })).toEqual({
      a: { b: 1, c: [3] },
      d: { e: 1 },
    });
  });
});
