import { expect, test } from 'vitest';
import { changeOf, placementOf, settled, startHost } from '../../../support/actors.js';

const alone = async (...args: Parameters<typeof startHost>) => {
  const host = await startHost(...args);
  await host.place(changeOf(placementOf('Counter', 1, [host.name])));
  return host;
};

test('the first call makes the actor live, later ones find it', async () => {
  const host = await alone('h1');
  host.app.instant = true;
  expect(host.runtime.activeActors()).toEqual([{ type: 'Counter', count: 0 }]);
  expect(await host.call('a')).toMatchObject({ kind: 'reply', reply: { status: 200 } });
  await host.call('a');
  await host.call('b');
  expect(host.runtime.activeActors()).toEqual([{ type: 'Counter', count: 2 }]);
  expect(host.runtime.isActive({ type: 'Counter', id: 'a' })).toBe(true);
  expect(host.runtime.isActive({ type: 'Counter', id: 'c' })).toBe(false);
});

test('one actor runs one turn at a time in order, two actors run side by side', async () => {
  const host = await alone('h1');
  const calls = [host.call('a', 'first'), host.call('a', 'second'), host.call('b', 'other')];
  await settled();
  expect(host.app.log).toEqual(['first Counter/a', 'other Counter/b']);
  host.app.running.get('Counter/a')?.end();
  await settled();
  expect(host.app.log).toEqual(['first Counter/a', 'other Counter/b', 'second Counter/a']);
  host.app.running.get('Counter/a')?.end();
  host.app.running.get('Counter/b')?.end();
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(['reply', 'reply', 'reply']);
});

test('a failed turn is over too: the next one runs', async () => {
  const host = await alone('h1');
  host.app.invoke = async (turn) => {
    if (turn.method === 'bad') throw new Error('broken');
    return { status: 200, headers: {}, body: Buffer.alloc(0) };
  };
  await expect(host.call('a', 'bad')).rejects.toThrow('broken');
  expect((await host.call('a', 'good')).kind).toBe('reply');
});

test('a reentrant call enters the running turn, with the id that the turn was given', async () => {
  const host = await alone('h1', { reentrancy: { enabled: true, maxStackDepth: 2 } });
  const outer = host.call('a', 'outer');
  await settled();
  const running = host.app.running.get('Counter/a');
  const chain = running?.turn.chain as string;
  expect(chain).toMatch(/^[0-9a-f-]{36}$/);
  const inner = host.call('a', 'inner', { 'dapr-reentrancy-id': chain });
  await settled();
  expect(host.app.log).toEqual(['outer Counter/a', 'inner Counter/a']);
  await expect(host.call('a', 'deeper', { 'dapr-reentrancy-id': chain })).rejects.toMatchObject({ code: 'actorStackDepth' });
  host.app.running.get('Counter/a')?.end();
  await inner;
  running?.end();
  await outer;
});

test('an actor without calls is deactivated after its idle time, counted from the end of its last turn', async () => {
  const host = await alone('h1', { idleTimeoutMs: 1_000 });
  const call = host.call('a');
  await settled();
  host.clock.advance(5_000);
  host.app.running.get('Counter/a')?.end();
  await call;
  host.clock.advance(900);
  await settled();
  expect(host.runtime.isActive({ type: 'Counter', id: 'a' })).toBe(true);
  host.clock.advance(1_100);
  await settled();
  expect(host.app.log).toEqual(['go Counter/a', 'DELETE Counter/a']);
  expect(host.runtime.isActive({ type: 'Counter', id: 'a' })).toBe(false);
});

test('a call that comes while an idle actor is being deactivated waits and makes it live again', async () => {
  const host = await alone('h1', { idleTimeoutMs: 1_000 });
  host.app.instant = true;
  await host.call('a');
  let deactivated = () => {};
  host.app.deactivate = () =>
    new Promise((resolve) => {
      host.app.log.push('DELETE');
      deactivated = resolve;
    });
  host.clock.advance(1_000);
  await settled();
  const call = host.call('a', 'again');
  await settled();
  expect(host.app.log).toEqual(['go Counter/a', 'DELETE']);
  deactivated();
  expect((await call).kind).toBe('reply');
  expect(host.app.log.at(-1)).toBe('again Counter/a');
});

test('a host that is not the owner never runs the turn', async () => {
  const host = await startHost('h1');
  expect(await host.call('a')).toEqual({ kind: 'moved' });
  await host.place(changeOf(placementOf('Counter', 1, ['h2'])));
  expect(await host.call('a')).toEqual({ kind: 'moved' });
  expect(host.app.log).toEqual([]);
});

test('a type that the app does not host is not run here', async () => {
  const host = await alone('h1');
  await host.place(changeOf(placementOf('Cart', 1, ['h1'])));
  const answer = await host.runtime.execute({ type: 'Cart', id: 'a', method: 'go', headers: {}, remote: false });
  expect(answer).toEqual({ kind: 'moved' });
});

test('without a valid lease no turn starts, and one that waited goes elsewhere', async () => {
  const host = await alone('h1');
  const running = host.call('a');
  const waiting = host.call('a');
  await settled();
  host.lease = false;
  host.app.running.get('Counter/a')?.end();
  expect((await running).kind).toBe('reply');
  expect((await waiting).kind).toBe('moved');
  expect((await host.call('b')).kind).toBe('moved');
});

test('when the lease is lost running turns are ended and all actors go', async () => {
  const host = await alone('h1');
  const running = host.call('a');
  await settled();
  host.lease = false;
  const lost = host.runtime.leaseLost();
  host.clock.advance(0);
  await expect(running).rejects.toThrow('the actor leaves this host');
  await lost;
  expect(host.runtime.activeActors()).toEqual([{ type: 'Counter', count: 0 }]);
});

test('a host that lost its lease writes no state, runs nothing of what it lost, and owns nothing until it has heard the control plane anew', async () => {
  const host = await alone('h1');
  const running = host.call('a');
  await settled();
  host.lease = false;
  expect(host.runtime.isActive({ type: 'Counter', id: 'a' })).toBe(false);
  let told: Promise<unknown> = Promise.resolve();
  host.app.deactivate = () => new Promise<void>((resolve) => (told = Promise.resolve(resolve)));
  const lost = host.runtime.leaseLost();
  host.clock.advance(0);
  await expect(running).rejects.toThrow('the actor leaves this host');
  // The lease is there again before the app has answered.
  host.lease = true;
  expect(host.runtime.isActive({ type: 'Counter', id: 'a' })).toBe(false);
  expect((await host.call('b')).kind).toBe('moved');
  // Read late, written before.
  await host.place({ ...changeOf(), connection: host.connection - 1 });
  expect((await host.call('b')).kind).toBe('moved');
  await host.place({ ...changeOf(), connection: host.connection });
  host.app.instant = true;
  expect((await host.call('b')).kind).toBe('reply');
  ((await told) as () => void)();
  await lost;
  expect((await host.call('a')).kind).toBe('reply');
});

test('closing takes no new turn, lets the running one end and deactivates all', async () => {
  const host = await alone('h1');
  const running = host.call('a');
  await settled();
  const closed = host.runtime.close(1_000);
  expect((await host.call('b')).kind).toBe('moved');
  host.app.running.get('Counter/a')?.end();
  expect((await running).kind).toBe('reply');
  await closed;
  expect(host.app.log).toEqual(['go Counter/a', 'DELETE Counter/a']);
  expect(host.clock.pending).toBe(0);
});

test('closing ends a turn that does not end by itself', async () => {
  const host = await alone('h1');
  const running = host.call('a');
  await settled();
  const closed = host.runtime.close(1_000);
  host.clock.advance(1_000);
  await expect(running).rejects.toThrow('the actor leaves this host');
  await closed;
});

test('actors of a type that the app no longer hosts are deactivated', async () => {
  const host = await alone('h1');
  host.app.instant = true;
  await host.call('a');
  await host.runtime.host({ types: new Map(), problems: [] });
  expect(host.app.log).toEqual(['go Counter/a', 'DELETE Counter/a']);
  expect((await host.call('a')).kind).toBe('moved');
});
