import { expect, test } from 'vitest';
import { buildTable, changeOf, placementOf, settled, startHost, type TestHost } from '../../../support/actors.js';

const ids = Array.from({ length: 60 }, (_, i) => `actor-${i}`);
const ownerOf = (hosts: readonly string[], id: string) => buildTable(hosts).owner(`Counter/${id}`);

test('when a host joins, only the actors that it wins move, and the acknowledgement comes when they are gone', async () => {
  const host = await startHost('h1');
  host.app.instant = true;
  await host.place(changeOf(placementOf('Counter', 1, ['h1'])));
  for (const id of ids) await host.call(id);
  host.app.log.length = 0;

  await host.place(changeOf(placementOf('Counter', 2, ['h1', 'h2'])));

  const moved = ids.filter((id) => ownerOf(['h1', 'h2'], id) === 'h2');
  expect(moved.length).toBeGreaterThan(10);
  expect([...host.app.log].sort()).toEqual(moved.map((id) => `DELETE Counter/${id}`).sort());
  for (const id of ids) expect(host.runtime.isActive({ type: 'Counter', id })).toBe(!moved.includes(id));
});

test('a running turn of a moved actor ends before the acknowledgement, what waits behind it goes elsewhere', async () => {
  const host = await startHost('h1');
  await host.place(changeOf(placementOf('Counter', 1, ['h1'])));
  const running = host.call('a', 'running');
  const waiting = host.call('a', 'waiting');
  await settled();
  let acknowledged = false;
  const applied = host.place(changeOf(placementOf('Counter', 2, ['h2']))).then(() => {
    acknowledged = true;
  });
  expect((await waiting).kind).toBe('moved');
  expect((await host.call('a')).kind).toBe('moved');
  expect(acknowledged).toBe(false);
  host.app.running.get('Counter/a')?.end();
  expect((await running).kind).toBe('reply');
  await applied;
  expect(host.app.log).toEqual(['running Counter/a', 'DELETE Counter/a']);
});

test('a turn that outlasts the drain time is ended, so that the release does not wait for ever', async () => {
  const host = await startHost('h1', { drainTimeoutMs: 500 });
  await host.place(changeOf(placementOf('Counter', 1, ['h1'])));
  const running = host.call('a');
  await settled();
  const applied = host.place(changeOf(placementOf('Counter', 2, ['h2'])));
  host.clock.advance(500);
  await expect(running).rejects.toThrow('the actor leaves this host');
  await applied;
});

test('an actor that stays keeps its running and waiting turns', async () => {
  const host = await startHost('h1');
  await host.place(changeOf(placementOf('Counter', 1, ['h1'])));
  const stays = ids.find((id) => ownerOf(['h1', 'h2'], id) === 'h1') as string;
  const calls = [host.call(stays), host.call(stays)];
  await settled();
  await host.place(changeOf(placementOf('Counter', 2, ['h1', 'h2'])));
  host.app.running.get(`Counter/${stays}`)?.end();
  await settled();
  host.app.running.get(`Counter/${stays}`)?.end();
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(['reply', 'reply']);
  expect(host.app.log).not.toContain(`DELETE Counter/${stays}`);
});

test('through any series of joins and leaves no actor ever runs on two hosts, and every call is run once', async () => {
  const hosts = new Map<string, TestHost>();
  for (const name of ['h1', 'h2', 'h3', 'h4']) hosts.set(name, await startHost(name));
  const running = new Map<string, string>();
  let turns = 0;
  for (const host of hosts.values()) {
    host.app.invoke = async (turn) => {
      expect(running.get(turn.id), `${turn.id} runs on ${running.get(turn.id)} already`).toBeUndefined();
      running.set(turn.id, host.name);
      await new Promise((resolve) => setTimeout(resolve, turns++ % 4));
      running.delete(turn.id);
      return { status: 200, headers: {}, body: Buffer.alloc(0) };
    };
  }
  // Envoy's view: endpoints change only after every host has acknowledged.
  let endpoints: readonly string[] = ['h1'];
  await Promise.all([...hosts.values()].map((host) => host.place(changeOf(placementOf('Counter', 1, endpoints)))));
  let stop = false;
  let answered = 0;
  const caller = async (seed: number) => {
    for (let i = seed; !stop; i++) {
      const id = ids[i % ids.length] as string;
      for (;;) {
        const answer = await hosts.get(ownerOf(endpoints, id))?.call(id);
        if (answer?.kind === 'reply') break;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      answered++;
    }
  };
  const callers = Array.from({ length: 12 }, (_, i) => caller(i * 5));
  const series = [['h1', 'h2'], ['h2', 'h3'], ['h1', 'h2', 'h3', 'h4'], ['h4'], ['h1', 'h3', 'h4'], ['h2']];
  for (const [index, next] of series.entries()) {
    const change = changeOf(placementOf('Counter', index + 2, next));
    await Promise.all([...hosts.values()].map((host) => host.place(change)));
    endpoints = next;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop = true;
  await Promise.all(callers);
  expect(turns).toBe(answered);
  expect(answered).toBeGreaterThan(100);
});
