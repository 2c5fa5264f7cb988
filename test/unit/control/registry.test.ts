import { beforeEach, describe, expect, it } from 'vitest';
import { createRegistry, type Lease, type Refusal, type Registry } from '../../../src/control/registry.js';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.js';
import { attachedInstance } from '../../support/instances.js';

let clock: FakeClock;
let registry: Registry;
let changes: number;
let ends: string[];

beforeEach(() => {
  clock = createFakeClock();
  changes = 0;
  ends = [];
  registry = createRegistry({ leaseTtlMs: 5_000, maxInstances: 3 }, { clock, onChange: () => void changes++ });
});

const attach = (change: Parameters<typeof attachedInstance>[0] = {}): Lease => {
  const result = registry.attach(attachedInstance(change), (why) => ends.push(why));
  if ('problems' in result) throw new Error(result.problems.join());
  return result;
};
const refuse = (change: Parameters<typeof attachedInstance>[0]): Refusal => {
  const result = registry.attach(attachedInstance(change), () => {});
  if (!('problems' in result)) throw new Error('was taken');
  return result;
};
const leases = () => registry.instances().map(({ instanceId, lease }) => `${instanceId} ${lease}`);

describe('a lease', () => {
  it('lives as long as it is renewed', () => {
    const lease = attach();
    for (let beat = 0; beat < 10; beat += 1) {
      clock.advance(4_000);
      lease.renew();
    }
    expect(leases()).toEqual(['orders-1 live']);
  });

  it('runs out without heartbeats, though the stream is open, and the stream is told', () => {
    attach();
    clock.advance(4_999);
    expect(leases()).toEqual(['orders-1 live']);
    clock.advance(1);
    expect(leases()).toEqual([]);
    expect(ends).toEqual(['no heartbeat for 5000 ms']);
    expect(registry.expired()).toBe(1);
  });

  it('is lost when the stream breaks, and ends when it would have run out', () => {
    const lease = attach();
    clock.advance(3_000);
    lease.renew();
    lease.end(false);
    expect(leases()).toEqual(['orders-1 lost']);
    clock.advance(4_999);
    expect(leases()).toEqual(['orders-1 lost']);
    clock.advance(1);
    expect(leases()).toEqual([]);
  });

  it('is given back at once by a clean end', () => {
    attach().end(true);
    expect(leases()).toEqual([]);
  });

  it('is no endpoint after a withdrawal, and gone when its stream ends in whatever way', () => {
    const lease = attach();
    lease.withdraw();
    expect(leases()).toEqual(['orders-1 withdrawn']);
    lease.end(false);
    expect(leases()).toEqual([]);
  });

  it('is taken up again by the same sidecar, and the old stream can do no harm', () => {
    const old = attach();
    old.end(false);
    attach();
    expect(leases()).toEqual(['orders-1 live']);
    old.end(true);
    old.withdraw();
    expect(leases()).toEqual(['orders-1 live']);
  });

  it('moves to a newer stream of the same sidecar while the old one still looks alive', () => {
    attach();
    attach();
    expect(ends).toEqual(['the sidecar has attached anew']);
    expect(leases()).toEqual(['orders-1 live']);
  });

  it('carries changes of the instance, and tells of each', () => {
    const lease = attach({ appReady: false });
    const before = changes;
    expect(lease.update(attachedInstance({ appReady: true, actorTypes: ['Cart'] }))).toEqual([]);
    expect(registry.instances()[0]).toMatchObject({ appReady: true, actorTypes: ['Cart'] });
    expect(changes).toBe(before + 1);
  });

  it('does not change its instance id', () => {
    expect(attach().update(attachedInstance({ instanceId: 'other' }))).toHaveLength(1);
  });
});

describe('the registry', () => {
  it('refuses for good what cannot become right, with place and remedy', () => {
    expect(refuse({ appId: 'a.b' })).toMatchObject({ final: true, problems: [expect.stringContaining('--app-id')] });
    expect(refuse({ namespace: 'Up' })).toMatchObject({ final: true, problems: [expect.stringContaining('--namespace')] });
    expect(refuse({ actorTypes: ['a|b'] }).problems).toEqual([expect.stringContaining('actor type "a|b"')]);
    expect(refuse({ instanceId: 'a~b', inboundPort: 0 }).problems).toHaveLength(2);
    expect(registry.instances()).toEqual([]);
  });

  it('refuses a second sidecar that claims a living instance id, and names the first', () => {
    attach();
    expect(refuse({ pid: 200 })).toEqual({ final: true, problems: [expect.stringContaining('pid 100')] });
    expect(leases()).toEqual(['orders-1 live']);
  });

  it('takes so many instances and no more, until one leaves', () => {
    const leases = ['a', 'b', 'c'].map((instanceId) => attach({ instanceId }));
    expect(refuse({ instanceId: 'd' })).toMatchObject({ final: false });
    leases[0]!.end(true);
    attach({ instanceId: 'd' });
    expect(registry.instances()).toHaveLength(3);
  });

  it('sorts by namespace, app id and instance id, whatever the order of arrival', () => {
    attach({ appId: 'b', instanceId: '2' });
    attach({ appId: 'a', instanceId: '3' });
    attach({ appId: 'b', instanceId: '1' });
    expect(registry.instances().map(({ appId, instanceId }) => `${appId} ${instanceId}`)).toEqual(['a 3', 'b 1', 'b 2']);
  });

  it('gives the same object for an instance until that instance changes', () => {
    attach({ instanceId: 'a' });
    const [a] = registry.instances();
    attach({ instanceId: 'b' }).renew();
    expect(registry.instances()[0]).toBe(a);
  });

  it('leaves no timer behind', () => {
    attach();
    registry.close();
    expect(clock.pending).toBe(0);
  });
});
