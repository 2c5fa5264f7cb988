import { describe, expect, it } from 'vitest';
import type { ComponentSpec } from '../../../src/blocks/component.js';
import { type ComponentEvent, createComponentHost } from '../../../src/blocks/component-host.js';
import type { ComponentTypes } from '../../../src/blocks/component-types.js';
import type { SecretStore } from '../../../src/blocks/secrets/contract.js';
import { EtagError, type StateStore } from '../../../src/blocks/state/contract.js';
import { Component, ComponentResiliency } from '../../../src/gen/weft/config/v1/config.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { componentDeps } from '../../support/component-deps.js';
import { component, fakeConfigSource } from '../../support/config-source.js';
import { createFakeClock } from '../../support/fake-clock.js';

interface Made {
  readonly spec: ComponentSpec;
  readonly store: StateStore;
  closed: number;
}

/** A host on stores that only record what becomes of them. */
function rig(env: Record<string, string> = {}) {
  const made: Made[] = [];
  const secrets: Record<string, Record<string, string>> = { db: { db: 's3cret', user: 'me' } };
  const clock = createFakeClock();
  const watchers = new Set<() => void>();
  const logged: string[] = [];
  const note = (message: string, fields?: Record<string, unknown>) =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const type = (capabilities: StateStore['capabilities']): ComponentTypes[string] => ({
    block: 'state',
    versions: ['v1'],
    load: async () => async (spec) => {
      if (spec.metadata.has('fail')) throw new Error(spec.metadata.get('fail'));
      if (spec.metadata.get('wish') === 'refuse') throw new Error('not with this');
      if (spec.metadata.has('hang')) await new Promise((resolve) => setTimeout(resolve, 60));
      const record: Made = { spec, closed: 0, store: null as never };
      const store: StateStore = {
        capabilities,
        get: () => undefined,
        set: () => {},
        delete: () => {},
        close: async () => void record.closed++,
      };
      made.push(Object.assign(record, { store }));
      return store;
    },
  });
  const vault: ComponentTypes[string] = {
    block: 'secrets',
    versions: ['v1'],
    load: async () => async (spec) => {
      if (spec.metadata.has('fail')) throw new Error(spec.metadata.get('fail'));
      return {
        capabilities: [],
        async get(name) {
          if (!secrets[name]) throw new Error(`secret ${name} not found`);
          return secrets[name];
        },
        getAll: async () => secrets,
        watch(onChange) {
          watchers.add(onChange);
          return () => watchers.delete(onChange);
        },
        close: async () => {},
      } satisfies SecretStore;
    },
  };
  const types: ComponentTypes = {
    'secretstores.test': vault,
    'state.full': type(['ETAG', 'TRANSACTIONAL']),
    'state.plain': type(['ETAG']),
  };
  const refreshed: string[] = [];
  const source = { ...fakeConfigSource(), refresh: (kind: string, name: string) => void refreshed.push(`${kind} ${name}`) };
  const logger = { ...silentLogger, info: note, warn: note, error: note, child: () => logger };
  const deps = { ...componentDeps('/nowhere', 'orders'), logger };
  const host = createComponentHost({ source, types, deps, env, clock, random: () => 0 });
  const events: ComponentEvent[] = [];
  host.onChange((event) => void events.push(event));
  const push = (...components: Component[]) =>
    source.push('component', Object.fromEntries(components.map((item) => [`default/${item.name}`, item])));
  const remove = (...names: string[]) =>
    source.push(
      'component',
      {},
      names.map((name) => `default/${name}`),
    );
  const changeSecrets = (more: typeof secrets) => {
    Object.assign(secrets, more);
    for (const tell of watchers) tell();
  };
  return { host, made, push, remove, events, source, secrets, changeSecrets, watchers, clock, refreshed, logged };
}

describe('the component host', () => {
  it('has what the source names, with capabilities as the metadata API shows them', async () => {
    const { host, push } = rig();
    await push(component('b', 'state.full'), component('a', 'state.plain'));
    expect(host.list()).toEqual([
      { name: 'a', type: 'state.plain', version: 'v1', capabilities: ['ETAG'] },
      { name: 'b', type: 'state.full', version: 'v1', capabilities: ['ETAG', 'TRANSACTIONAL', 'ACTOR'] },
    ]);
    expect(host.state('a')?.name).toBe('a');
    expect(host.pubsub('a')).toBeUndefined();
    expect(host.all('state')).toHaveLength(2);
  });

  it('reconnects nothing when a resource comes again, also from another place in its file', async () => {
    const { host, made, push, events } = rig();
    await push(component('a', 'state.full', { x: '1' }), component('b', 'state.full'));
    const before = host.state('a');
    await push({ ...component('a', 'state.full', { x: '1' }), source: 'elsewhere.yaml' });
    await push(component('b', 'state.full', { y: '2' }));
    expect(host.state('a')).toBe(before);
    expect(made).toHaveLength(3);
    expect(events.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['added a', 'added b', 'replaced b']);
  });

  it('closes a replaced component only when its last call is over', async () => {
    const { host, made, push } = rig();
    await push(component('a', 'state.full'));
    let finish = () => {};
    host.state('a')?.slot.track(new Promise<void>((resolve) => (finish = resolve)));
    await push(component('a', 'state.full', { x: '1' }));
    expect(host.state('a')?.spec.metadata.get('x')).toBe('1');
    expect(made[0]?.closed).toBe(0);
    finish();
    await expect.poll(() => made[0]?.closed).toBe(1);
  });

  it('closes a replaced component only when listeners are done with it', async () => {
    const { host, made, push } = rig();
    await push(component('a', 'state.full'));
    const seen: number[] = [];
    host.onChange(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen.push(made[0]?.closed ?? -1);
    });
    await push(component('a', 'state.full', { x: '1' }));
    expect(seen).toEqual([0]);
    await expect.poll(() => made[0]?.closed).toBe(1);
  });

  it('leaves the old version serving when the new one is bad, takes the rest, and says where and why', async () => {
    const { host, push } = rig();
    await push(component('a', 'state.full'));
    const before = host.state('a');
    await expect(push(component('a', 'state.full', { fail: 'no such host' }), component('b', 'state.full'))).rejects.toThrow(
      'component a (resources/components.yaml): no such host',
    );
    expect(host.state('a')).toBe(before);
    expect(host.state('b')).toBeDefined();
    expect(host.failures()).toEqual([{ name: 'a', type: 'state.full', error: expect.stringContaining('no such host') }]);
    await push(component('a', 'state.full', { x: '1' }));
    expect(host.failures()).toEqual([]);
  });

  it('leaves out what fails under ignoreErrors without a complaint', async () => {
    const { host, push } = rig();
    await push({ ...component('a', 'state.full', { fail: 'x' }), ignoreErrors: true });
    expect(host.state('a')).toBeUndefined();
    expect(host.failures()).toHaveLength(1);
  });

  it('gives up after initTimeout, and closes what comes too late', async () => {
    const { host, made, push } = rig();
    await expect(push({ ...component('a', 'state.full', { hang: '1' }), initTimeoutMs: 20 })).rejects.toThrow('within 20 ms');
    expect(host.state('a')).toBeUndefined();
    await expect.poll(() => made[0]?.closed).toBe(1);
  });

  it('names the nearest type when it does not know one, and the versions it knows', async () => {
    const { push } = rig();
    await expect(push(component('a', 'state.fulll'))).rejects.toThrow('unknown type state.fulll; did you mean state.full?');
    await expect(push(component('a', 'queue.something'))).rejects.toThrow(
      'known types: secretstores.test, state.full, state.plain',
    );
    await expect(push({ ...component('a', 'state.full'), version: 'v2' })).rejects.toThrow('known: v1');
    await expect(push(component('a', 'constructor'))).rejects.toThrow('unknown type');
  });

  it('removes, tells so, and closes', async () => {
    const { host, made, push, remove, events } = rig();
    await push(component('a', 'state.full'));
    await remove('a');
    expect(host.state('a')).toBeUndefined();
    expect(events.at(-1)).toEqual({ kind: 'removed', block: 'state', name: 'a' });
    await expect.poll(() => made[0]?.closed).toBe(1);
  });

  it('has exactly one actor state store, and lets it move in one change', async () => {
    const { host, push } = rig();
    const actors = { actorStateStore: 'true' };
    expect(host.actorStateStore()).toBeUndefined();
    await push(component('b', 'state.full', actors));
    expect(host.actorStateStore()?.name).toBe('b');
    await expect(push(component('a', 'state.full', actors))).rejects.toThrow('actorStateStore is set on b already');
    await push(component('a', 'state.full', actors), component('b', 'state.full'));
    expect(host.actorStateStore()?.name).toBe('a');
    await expect(push(component('c', 'state.plain', actors))).rejects.toThrow('needs TRANSACTIONAL');
  });

  it('lower-cases metadata names, fills placeholders and reads the environment', async () => {
    const { made, push } = rig({ PASSWORD: 'pw', POD_NAME: 'pod-1', DAPR_API_TOKEN: 'secret' });
    const spec = component('a', 'state.full', { Id: '{appID}-{podName}-{namespace}', Uuid: '{uuid}' });
    spec.metadata.push({ name: 'Pass', from: { $case: 'envRef', value: 'PASSWORD' } });
    await push(spec);
    const metadata = made[0]?.spec.metadata;
    expect(metadata?.get('id')).toBe('orders-pod-1-default.orders');
    expect(metadata?.get('uuid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(metadata?.get('pass')).toBe('pw');
    const bad = Component.fromPartial({
      ...component('b', 'state.full'),
      metadata: [{ name: 'p', from: { $case: 'envRef', value: 'DAPR_API_TOKEN' } }],
    });
    await expect(push(bad)).rejects.toThrow('may not refer to environment variable DAPR_API_TOKEN');
  });

  it('refuses a key prefix that could be mistaken for a key', async () => {
    const { push } = rig();
    await expect(push(component('a', 'state.full', { keyPrefix: 'a||b' }))).rejects.toThrow("can't contain '||'");
  });

  it('is loaded after the first set, whatever came of it, and closes everything', async () => {
    const { host, made, push } = rig();
    await push(component('a', 'state.full'), component('b', 'state.plain', { fail: 'x' })).catch(() => {});
    await host.loaded();
    await host.close();
    await host.close();
    expect(made.map(({ closed }) => closed)).toEqual([1]);
    expect(host.list()).toEqual([]);
  });
});

/** Adds metadata `item` from the secret of a store. */
function withSecret(base: Component, secret: string, store = 'vault', key = '', item = 'password'): Component {
  const metadata = [...base.metadata, { name: item, from: { $case: 'secretKeyRef' as const, value: { name: secret, key } } }];
  return { ...base, metadata, secretStore: store };
}

describe('secrets that change', () => {
  const a = withSecret(component('a', 'state.full'), 'db');
  const b = withSecret(component('b', 'state.full'), 'db', 'vault', 'user', 'user');
  const vault = component('vault', 'secretstores.test');

  it('make those components anew that were made with them, and no others', async () => {
    const { host, made, push, changeSecrets, events, watchers } = rig();
    await push(vault, a, b, component('c', 'state.full'));
    expect([made.length, watchers.size]).toEqual([3, 1]);
    changeSecrets({ db: { db: 'other', user: 'me' } });
    await expect.poll(() => host.state('a')?.spec.metadata.get('password')).toBe('other');
    expect(made).toHaveLength(4);
    expect(events.at(-1)).toEqual({ kind: 'replaced', block: 'state', name: 'a' });
    changeSecrets({ another: { another: 'x' } });
    await push(component('d', 'state.full'));
    expect(made).toHaveLength(5);
    await host.close();
    expect(watchers.size).toBe(0);
  });

  it('do so too when it is the store that is another one now', async () => {
    const { host, made, push, secrets } = rig();
    await push(vault, a, b);
    secrets.db = { db: 'other', user: 'me' };
    await push(component('vault', 'secretstores.test', { file: 'another' }));
    await expect.poll(() => host.state('a')?.spec.metadata.get('password')).toBe('other');
    expect(made).toHaveLength(3);
  });

  it('leave a component as it is when it cannot be made with them, and it is tried again', async () => {
    const { host, made, push, changeSecrets, clock } = rig();
    const wants = withSecret(component('a', 'state.full'), 'fail', 'vault', '', 'wish');
    changeSecrets({ fail: { fail: 'x' } });
    await push(vault, wants);
    expect(host.state('a')?.spec.metadata.get('wish')).toBe('x');
    changeSecrets({ fail: { fail: 'refuse' } });
    await expect.poll(() => host.failures()).toMatchObject([{ name: 'a', error: expect.stringContaining('not with this') }]);
    expect(host.state('a')?.spec.metadata.get('wish')).toBe('x');
    expect(made).toHaveLength(1);
    changeSecrets({ fail: { fail: 'y' } });
    await expect.poll(() => host.state('a')?.spec.metadata.get('wish')).toBe('y');
    expect([host.failures(), clock.pending]).toEqual([[], 0]);
  });

  it('that are gone change nothing, and nobody watches a store that nobody takes secrets of', async () => {
    const { host, made, push, remove, secrets, changeSecrets, watchers, logged } = rig();
    await push(vault);
    expect(watchers.size).toBe(0);
    await push(a);
    delete secrets.db;
    changeSecrets({});
    await expect.poll(() => logged.join()).toContain('a secret cannot be read any more');
    expect([host.state('a')?.spec.metadata.get('password'), made.length]).toEqual(['s3cret', 1]);
    await remove('a');
    expect(watchers.size).toBe(0);
  });
});

describe('secrets in metadata', () => {
  it('are resolved by the store that is named, whatever stands first, and are nobody’s placeholders', async () => {
    const { made, push, secrets } = rig();
    secrets.odd = { odd: '{uuid}' };
    const wants = withSecret(withSecret(component('a', 'state.full'), 'db', 'vault', 'user', 'name'), 'odd', 'vault', 'odd');
    await push(wants, component('vault', 'secretstores.test'));
    expect(Object.fromEntries(made[0]?.spec.metadata ?? [])).toEqual({ name: 'me', password: '{uuid}' });
  });

  it.each([
    [withSecret(component('a', 'state.full'), 'db', ''), 'no store is named; add auth: { secretStore: <component> }'],
    [withSecret(component('a', 'state.full'), 'db', 'other'), 'of store other: there is no such secret store in force'],
    [
      withSecret(component('a', 'state.full'), 'nope'),
      'metadata password refers to secret nope of store vault: secret nope not found',
    ],
    [withSecret(component('a', 'state.full'), 'db', 'vault', 'pin'), 'it has no key pin, or an empty one'],
  ])('say what is missing', async (wants, message) => {
    const { push } = rig();
    await expect(push(component('vault', 'secretstores.test'), wants)).rejects.toThrow(message);
  });

  it('of two stores that want each other are an error and no hang', async () => {
    const { host, push } = rig();
    const one = withSecret(component('one', 'secretstores.test'), 'db', 'two');
    const two = withSecret(component('two', 'secretstores.test'), 'db', 'one');
    await expect(push(one, two, component('a', 'state.full'))).rejects.toThrow('there is no such secret store in force');
    expect(host.list().map(({ name }) => name)).toEqual(['a']);
  });

  it('do not stand in what a component says about them', async () => {
    const { host, push, logged } = rig();
    const wants = withSecret(component('a', 'state.full'), 'db', 'vault', 'db', 'fail');
    await expect(push(component('vault', 'secretstores.test'), wants)).rejects.toThrow('(secret)');
    expect(JSON.stringify([host.failures(), logged])).not.toContain('s3cret');
  });
});

describe('a component that fails to load', () => {
  const waits = () => new Promise((resolve) => setImmediate(resolve));

  it('is tried again after longer and longer waits until it loads; then what was refused is acknowledged', async () => {
    const { host, push, secrets, clock, refreshed, logged } = rig();
    await push(component('vault', 'secretstores.test'));
    await expect(push(withSecret(component('a', 'state.full'), 'late'))).rejects.toThrow('secret late not found');
    const tries = () => logged.filter((line) => line.startsWith('component still')).length;
    const after: number[] = [];
    for (let half = 1; after.length < 4; half++) {
      clock.advance(500);
      await waits();
      if (tries() > after.length) after.push(half / 2);
    }
    expect(after).toEqual([0.5, 1.5, 3.5, 7.5]);
    secrets.late = { late: 'x' };
    clock.advance(60_000);
    await expect.poll(() => host.state('a')?.name).toBe('a');
    expect([host.failures(), refreshed, clock.pending]).toEqual([[], ['component default/a'], 0]);
  });

  it('with ignoreErrors is no trouble for the others, and comes later all the same', async () => {
    const { host, push, secrets, clock, refreshed } = rig();
    const late = { ...withSecret(component('a', 'state.full'), 'late'), ignoreErrors: true };
    await push(component('vault', 'secretstores.test'), late, component('b', 'state.full'));
    expect(host.failures().map(({ name }) => name)).toEqual(['a']);
    secrets.late = { late: 'x' };
    clock.advance(1000);
    await expect.poll(() => host.list().map(({ name }) => name)).toEqual(['a', 'b', 'vault']);
    expect(refreshed).toEqual([]);
  });

  it('is tried at once when the secret store that it waits for comes', async () => {
    const { host, push, clock } = rig();
    await expect(push(withSecret(component('a', 'state.full'), 'db'))).rejects.toThrow('there is no such secret store');
    await push(component('vault', 'secretstores.test'));
    clock.advance(0);
    await expect.poll(() => host.state('a')?.name).toBe('a');
  });

  it('is not tried again once its resource is another one or gone, nor when its type is unknown, nor after the end', async () => {
    const { host, push, remove, clock } = rig();
    await expect(push(component('x', 'state.nonsense'))).rejects.toThrow('unknown type');
    expect(clock.pending).toBe(0);
    const bad = component('a', 'state.full', { fail: 'x' });
    await expect(push(bad)).rejects.toThrow();
    expect(clock.pending).toBe(1);
    await push(component('a', 'state.full'));
    expect(clock.pending).toBe(0);
    await expect(push(bad)).rejects.toThrow();
    await remove('a');
    expect(clock.pending).toBe(0);
    await expect(push(bad)).rejects.toThrow();
    await host.close();
    expect(clock.pending).toBe(0);
  });
});

describe('resiliency of a component', () => {
  const twice = ComponentResiliency.fromPartial({ outbound: { retry: { name: 'twice', maxRetries: 2 } } });
  const opens = (trip: string) =>
    ComponentResiliency.fromPartial({ outbound: { circuitBreaker: { name: 'cb', maxRequests: 1, timeoutMs: 60_000, trip } } });

  it('leaves a component without a policy as it is, and puts nothing between', async () => {
    const { host, made, push } = rig();
    await push(component('a', 'state.full'));
    expect(host.state('a')?.component).toBe(made[0]?.store);
    expect(host.state('a')?.inbound).toBeUndefined();
  });

  it('comes and goes without a reconnect, whatever arrives first', async () => {
    const { host, made, push, source, clock } = rig();
    await source.push('resiliency', { 'default/a': twice });
    await push(component('a', 'state.full'), component('b', 'state.full'));
    const [a, b] = made as [Made, Made];
    let calls = 0;
    Object.assign(a.store, {
      get: () => {
        calls += 1;
        if (calls < 3) throw new Error('not yet');
        return { value: Buffer.from('v'), etag: '1' };
      },
    });
    const hosted = host.state('a');
    const result = hosted?.component.get('k');
    for (let tries = 2; tries <= 3; tries++) {
      await expect.poll(() => clock.pending).toBe(1);
      clock.advance(0);
    }
    expect(await result).toMatchObject({ etag: '1' });
    expect(calls).toBe(3);
    expect(host.state('b')?.component).toBe(b.store);
    await source.push('resiliency', {}, ['default/a']);
    expect(host.state('a')).toBe(hosted);
    expect(hosted?.component).toBe(a.store);
    expect([made.length, a.closed]).toEqual([2, 0]);
  });

  it('does not take a wrong etag for a failure of the store', async () => {
    const { host, made, push, source } = rig();
    await source.push('resiliency', { 'default/a': opens('consecutiveFailures >= 1') });
    await push(component('a', 'state.full'));
    Object.assign((made[0] as Made).store, {
      set: () => {
        throw new EtagError('mismatch', 'k');
      },
    });
    const set = () => host.state('a')?.component.set({ key: 'k', value: Buffer.alloc(0) });
    for (let call = 0; call < 3; call++) await expect(set()).rejects.toThrow(EtagError);
  });

  it('keeps what a breaker has counted until its policy or its component’s name is another', async () => {
    const { host, made, push, source } = rig();
    const fail = () => {
      Object.assign(made.at(-1)?.store as object, {
        get: () => {
          throw new Error('down');
        },
      });
    };
    const get = async () => host.state('a')?.component.get('k');
    await source.push('resiliency', { 'default/a': opens('consecutiveFailures >= 1') });
    await push(component('a', 'state.full'));
    fail();
    await expect(get()).rejects.toThrow('down');
    await expect(get()).rejects.toThrow('circuit breaker is open');
    await source.push('resiliency', { 'default/a': opens('consecutiveFailures >= 1') });
    await push(component('a', 'state.full', { changed: '1' }));
    await expect(get()).rejects.toThrow('circuit breaker is open');
    await source.push('resiliency', { 'default/a': opens('consecutiveFailures >= 2') });
    await expect(get()).resolves.toBeUndefined();
  });

  it('refuses an expression that is none and leaves what was in force', async () => {
    const { host, push, source } = rig();
    await source.push('resiliency', { 'default/a': twice });
    await push(component('a', 'state.full'));
    const before = host.state('a')?.component;
    await expect(source.push('resiliency', { 'default/a': opens('nonsense(') })).rejects.toThrow(
      'resiliency of component default/a: circuit breaker cb: trip "nonsense("',
    );
    expect(host.state('a')?.component).toBe(before);
  });
});
