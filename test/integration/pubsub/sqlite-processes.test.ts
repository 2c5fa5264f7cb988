import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BrokerProcess, readLog, startBrokerProcess } from '../../support/broker-process.js';
import { eventually } from '../../support/eventually.js';

describe('one SQLite broker file, many processes', () => {
  let dir: string;
  let log: string;
  const started: BrokerProcess[] = [];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'weft-broker-'));
    log = join(dir, 'log');
  });
  afterEach(async () => {
    for (const one of started) one.kill('SIGKILL');
    await Promise.all(started.splice(0).map((one) => one.exited));
    rmSync(dir, { recursive: true, force: true });
  });
  const start = async (mode: 'consume' | 'publish', ...args: string[]) => {
    const one = await startBrokerProcess(mode, dir, ...args);
    started.push(one);
    return one;
  };
  const ended = () => readLog(log).filter(({ event }) => event === 'end');

  it('delivers each message once among competing consumers when nobody fails', async () => {
    // A lease that nobody outlives: a process that the machine starves must not look like one that failed.
    const consumers = await Promise.all([1, 2, 3].map(() => start('consume', log, '2', '30s')));
    await Promise.all([start('publish', '150', 'a'), start('publish', '150', 'b')]);
    await eventually(() => expect(ended()).toHaveLength(300), 30_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begun = readLog(log).filter(({ event }) => event === 'begin');
    expect(begun).toHaveLength(300);
    expect(new Set(begun.map(({ text }) => text)).size).toBe(300);
    expect(new Set(begun.map(({ pid }) => pid))).toEqual(new Set(consumers.map(({ pid }) => pid)));
  });

  it('hands the messages of a killed consumer to another one when the lease is over', async () => {
    const victim = await start('consume', log, '60000');
    await start('publish', '3', 'm');
    await eventually(() => expect(readLog(log)).toHaveLength(3), 20_000);
    await start('consume', log, '1');
    victim.kill('SIGKILL');
    await victim.exited;
    await eventually(() => expect(ended().map(({ text }) => text)).toEqual(['m0', 'm1', 'm2']), 20_000);
    expect(ended().map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
  });

  it('keeps the lease of a handler that takes longer than it', async () => {
    await start('consume', log, '3500', '1500ms');
    await start('consume', log, '3500', '1500ms');
    await start('publish', '1', 'slow');
    await eventually(() => expect(ended()).toHaveLength(1), 20_000);
    expect(readLog(log)).toHaveLength(2);
  });

  it('loses nothing whose publish has returned when the publisher is killed', async () => {
    // The group exists from here on; its consumer is away while the publisher works.
    const first = await start('consume', log, '1');
    first.kill('SIGTERM');
    await first.exited;
    const publisher = await start('publish', '100000', 'm');
    await eventually(() => expect(publisher.lines.length).toBeGreaterThan(200), 20_000);
    publisher.kill('SIGKILL');
    await publisher.exited;
    const published = publisher.lines.map((line) => line.replace('published ', ''));
    await start('consume', log, '0');
    await eventually(() => {
      const seen = new Set(ended().map(({ text }) => text));
      expect(published.filter((text) => !seen.has(text))).toEqual([]);
    }, 30_000);
  });

  it('lets processes that come at the same moment create the file together', async () => {
    const consumers = await Promise.all(Array.from({ length: 4 }, () => start('consume', log, '1')));
    expect(consumers).toHaveLength(4);
    await start('publish', '20', 'm');
    await eventually(() => expect(ended()).toHaveLength(20), 20_000);
  });
});
