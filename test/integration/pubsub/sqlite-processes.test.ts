import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type BrokerMode,
  type BrokerProcess,
  readLog,
  startBrokerProcess,
  startOnFullDisk,
} from '../../support/broker-process.js';
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
  const start = async (mode: BrokerMode, ...args: string[]) => {
    const one = await startBrokerProcess(mode, dir, ...args);
    started.push(one);
    return one;
  };
  /** What is published from here on is kept for the group; its consumer is away. */
  const groupWithoutConsumer = async () => {
    const first = await start('consume', log, '1');
    first.kill('SIGTERM');
    await first.exited;
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
    await groupWithoutConsumer();
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

  it('loses nothing and goes on while whichever process is killed, again and again', async () => {
    const group = await start('consume', log, '0');
    const published = () => started.flatMap(({ lines }) => lines).map((line) => line.replace('published ', ''));
    let consumers = [group, await start('consume', log, '3')];
    for (let round = 0; round < 4; round += 1) {
      const before = ended().length;
      const publishers = await Promise.all([`r${round}a`, `r${round}b`].map((prefix) => start('publish', '100000', prefix)));
      await eventually(() => expect(ended().length).toBeGreaterThan(before + 50), 20_000);
      // A publisher in the middle of its commits, and the consumer that has been there longest.
      const [oldest] = consumers;
      consumers = [...consumers.slice(1), await start('consume', log, '1')];
      for (const victim of [publishers[0], oldest, publishers[1]]) {
        victim?.kill('SIGKILL');
        await victim?.exited;
      }
    }
    expect(published().length).toBeGreaterThan(200);
    await eventually(() => {
      const seen = new Set(ended().map(({ text }) => text));
      expect(published().filter((text) => !seen.has(text))).toEqual([]);
    }, 60_000);
  }, 120_000);

  it('says what is wrong while the disk is full, lives on, and loses nothing whose publish has returned', async () => {
    await groupWithoutConsumer();
    const publisher = await startOnFullDisk(512, 'persist', dir, '100000', 'm');
    started.push(publisher);
    const failed = () => publisher.lines.filter((line) => line.startsWith('failed '));
    await eventually(() => expect(failed().length).toBeGreaterThan(3), 20_000);
    expect(failed()[0]).toMatch(/shared\.db: .*(disk I\/O error|database or disk is full).*free s/);
    const before = publisher.lines.length;
    execFileSync('prlimit', ['--pid', String(publisher.pid), '--fsize=unlimited']);
    await eventually(
      () => expect(publisher.lines.slice(before).filter((line) => line.startsWith('published ')).length).toBeGreaterThan(100),
      20_000,
    );
    publisher.kill('SIGKILL');
    await publisher.exited;
    const published = publisher.lines
      .filter((line) => line.startsWith('published '))
      .map((line) => line.replace('published ', ''));
    const db = new Database(join(dir, 'shared.db'));
    const kept = new Set(
      (db.prepare('SELECT data FROM messages').all([]) as { data: Buffer }[]).map(({ data }) => Buffer.from(data).toString()),
    );
    db.close();
    expect(published.filter((text) => !kept.has(text))).toEqual([]);
  });

  it('refuses what would be lost once the file is deleted', async () => {
    const publisher = await start('persist', '100000', 'm');
    await eventually(() => expect(publisher.lines.length).toBeGreaterThan(10), 20_000);
    for (const file of ['shared.db', 'shared.db-wal', 'shared.db-shm']) rmSync(join(dir, file));
    await eventually(
      () => expect(publisher.lines.at(-1)).toMatch(/failed .*shared\.db was deleted while it was in use: restart/),
      20_000,
    );
    // A later process begins another file; this one must not write past it.
    await start('consume', log, '1');
    const from = publisher.lines.length;
    await eventually(() => expect(publisher.lines.length).toBeGreaterThan(from + 3), 20_000);
    expect(publisher.lines.slice(from).filter((line) => !/failed .*shared\.db was replaced/.test(line))).toEqual([]);
  });

  it('lets processes that come at the same moment create the file together', async () => {
    const consumers = await Promise.all(Array.from({ length: 4 }, () => start('consume', log, '1')));
    expect(consumers).toHaveLength(4);
    await start('publish', '20', 'm');
    await eventually(() => expect(ended()).toHaveLength(20), 20_000);
  });
});
