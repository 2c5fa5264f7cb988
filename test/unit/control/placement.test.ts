import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPlacement, filePlacementStore } from '../../../src/control/placement.js';
import { instanceOf } from '../../support/instances.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-placement-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = () => createPlacement(filePlacementStore(directory));
const host = (instanceId: string, change: Parameters<typeof instanceOf>[0] = {}) =>
  instanceOf({ instanceId, actorTypes: ['Cart'], ...change });
const show = (placements: ReturnType<ReturnType<typeof open>['update']>) =>
  placements.map(({ namespace, actorType, generation, hosts }) => [
    `${namespace}/${actorType}`,
    generation,
    hosts.map(({ instanceId }) => instanceId).join(),
  ]);

describe('placement', () => {
  it('lists the hosts of each actor type in order, and grows its generation with each change of them', () => {
    const placement = open();
    expect(show(placement.update([host('b'), host('a')]))).toEqual([['default/Cart', 1, 'a,b']]);
    expect(show(placement.update([host('b')]))).toEqual([['default/Cart', 2, 'b']]);
  });

  it('leaves alone what did not change', () => {
    const placement = open();
    const before = placement.update([host('a'), host('o', { actorTypes: ['Order'] })]);
    expect(placement.update([host('o', { actorTypes: ['Order'] }), host('a')])).toBe(before);
    const after = placement.update([host('a'), host('b'), host('o', { actorTypes: ['Order'] })]);
    expect(show(after)).toEqual([
      ['default/Cart', 2, 'a,b'],
      ['default/Order', 1, 'o'],
    ]);
  });

  it('keeps namespaces apart', () => {
    expect(show(open().update([host('a'), host('b', { namespace: 'shop' })]))).toEqual([
      ['default/Cart', 1, 'a'],
      ['shop/Cart', 1, 'b'],
    ]);
  });

  it('keeps a lost host, whose actors may still run, and drops withdrawn, unready and unhealthy ones, and those whose Envoy is silent', () => {
    const instances = [
      host('lost', { lease: 'lost' }),
      host('withdrawn', { lease: 'withdrawn' }),
      host('unready', { appReady: false }),
      host('unhealthy', { appHealthy: false }),
      host('silent', { proxySilent: true }),
    ];
    expect(show(open().update(instances))).toEqual([['default/Cart', 1, 'lost']]);
  });

  it('grows on after a restart, and after a time without hosts', () => {
    open().update([host('a')]);
    const restarted = open();
    expect(show(restarted.update([host('a')]))).toEqual([['default/Cart', 1, 'a']]);
    expect(restarted.update([])).toEqual([]);
    expect(show(restarted.update([host('a')]))).toEqual([['default/Cart', 3, 'a']]);
    expect(show(open().update([host('b')]))).toEqual([['default/Cart', 4, 'b']]);
  });

  it('grows when a host comes back at another address', () => {
    const placement = open();
    placement.update([host('a')]);
    expect(show(placement.update([host('a', { inboundPort: 7002 })]))).toEqual([['default/Cart', 2, 'a']]);
  });

  it('does not start from nothing when its file is damaged', () => {
    writeFileSync(join(directory, 'placement.json'), '{"default/Cart":');
    expect(open).toThrow(/placement\.json is damaged/);
  });
});
