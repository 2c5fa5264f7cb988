import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteStore } from '../../../src/components/state/sqlite.js';
import { componentDeps, componentSpec, testDir } from '../../support/component-deps.js';

const bytes = (text: string) => Buffer.from(text);
const open = async (metadata: Record<string, string>, dir = '/nowhere') => {
  const store = await createSqliteStore(componentSpec('state.sqlite', metadata), componentDeps(dir));
  onTestFinished(() => store.close());
  return store;
};

/** Another process that holds the write lock of `file` for `ms`. @returns once it has it */
async function lockFor(file: string, ms: number): Promise<void> {
  const script = `
    const db = new (require('libsql'))(${JSON.stringify(file)});
    db.exec('BEGIN IMMEDIATE');
    console.log('locked');
    setTimeout(() => { db.exec('COMMIT'); db.close(); }, ${ms});`;
  const child = spawn(process.execPath, ['-e', script], { cwd: process.cwd(), stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  await once(child.stdout, 'data');
}

describe('state.sqlite', () => {
  it('shares one file of the machine when none is named, and remembers', async () => {
    const dir = testDir();
    const [first, second] = [await open({}, dir), await open({}, dir)];
    await first.set({ key: 'k', value: bytes('1') });
    expect((await second.get('k'))?.value.toString()).toBe('1');
    expect(existsSync(join(dir, 'state-store.db'))).toBe(true);
    await first.close();
    await second.close();
    expect((await (await open({}, dir)).get('k'))?.value.toString()).toBe('1');
  });

  it('waits for another process that writes, without holding up its own', async () => {
    const file = join(testDir(), 'state.db');
    const store = await open({ connectionString: `file:${file}` });
    await store.set({ key: 'k', value: bytes('1') });
    await lockFor(file, 300);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const write = store.set({ key: 'k', value: bytes('2') });
    expect((await store.get('k'))?.value.toString()).toBe('1');
    await write;
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    expect((await store.get('k'))?.value.toString()).toBe('2');
  });

  it('names the file and a remedy when it is deleted, replaced or full, and when its directory takes no file', async () => {
    const file = join(testDir(), 'state.db');
    const store = await open({ connectionString: `file:${file}?_pragma=max_page_count(20)` });
    const big = { key: 'big', value: Buffer.alloc(200_000) };
    await expect(async () => store.set(big)).rejects.toThrow(`${file}: database or disk is full: free some space`);
    await store.set({ key: 'k', value: bytes('1') });
    rmSync(file);
    await expect(async () => store.set({ key: 'k', value: bytes('2') })).rejects.toThrow(
      `${file} was deleted while it was in use`,
    );
    writeFileSync(file, '');
    await expect(async () => store.delete({ key: 'k' })).rejects.toThrow(`${file} was replaced while it was in use`);
    const transacted = async () => store.transact?.([{ kind: 'upsert', request: { key: 'k', value: bytes('2') } }]);
    await expect(transacted).rejects.toThrow(`${file} was replaced while it was in use`);
    // Nobody may make files there, not even root.
    await expect(open({ connectionString: '/sys/kernel/weft.db' })).rejects.toThrow(
      /^cannot open database \/sys\/kernel\/weft\.db: .*directory must exist and be writable$/,
    );
  });

  it('gives up after busyTimeout and says why', async () => {
    const file = join(testDir(), 'state.db');
    const store = await open({ connectionString: file, busyTimeout: '50ms' });
    await lockFor(file, 2000);
    await expect(store.set({ key: 'k', value: bytes('2') })).rejects.toThrow('locked by other processes for 50 ms');
  });

  it('takes over a file of daprd', async () => {
    const file = join(testDir(), 'state.db');
    const db = new Database(file);
    db.exec(`CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
      CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL, etag TEXT NOT NULL,
        expiration_time TIMESTAMP DEFAULT NULL, update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
      INSERT INTO state (key, value, is_binary, etag) VALUES ('app||json', '{"a":"ü"}', 0, 'e1'), ('app||bytes', 'AP8=', 1, 'e2');
      INSERT INTO state (key, value, is_binary, etag, expiration_time) VALUES ('app||old', '1', 0, 'e3', DATETIME(CURRENT_TIMESTAMP, '-5 seconds')),
        ('app||new', '1', 0, 'e4', DATETIME(CURRENT_TIMESTAMP, '+100 seconds'));`);
    db.close();
    const store = await open({ connectionString: file });
    expect(await store.get('app||json')).toMatchObject({ value: bytes('{"a":"ü"}'), etag: 'e1' });
    expect(await store.get('app||bytes')).toMatchObject({ value: Buffer.from([0, 255]) });
    expect(await store.get('app||old')).toBeUndefined();
    expect((await store.get('app||new'))?.expiresAtMs).toBeGreaterThan(Date.now() + 90_000);
    await store.set({ key: 'app||json', value: bytes('2'), etag: 'e1' });
  });

  it('removes expired rows from the file', async () => {
    const file = join(testDir(), 'state.db');
    const store = await open({ connectionString: file, cleanupInterval: '50ms', tableName: 'mine' });
    await store.set({ key: 'gone', value: bytes('1'), ttlSeconds: 1 });
    await store.set({ key: 'stays', value: bytes('1') });
    const db = new Database(file);
    onTestFinished(() => void db.close());
    const keys = () =>
      db
        .prepare('SELECT key FROM mine')
        .all()
        .map((row) => (row as { key: string }).key);
    await expect.poll(keys, { timeout: 5000 }).toEqual(['stays']);
  });

  it.each([
    [{ tableName: 'a b' }, 'metadata tableName'],
    [{ timeout: '10ms' }, 'metadata timeout'],
    [{ busyTimeout: 'soon' }, 'metadata busyTimeout'],
    [{ connectionString: '/no/such/dir/state.db' }, '/no/such/dir/state.db'],
    [{ connectionString: 'x.db?mode=ro' }, 'read-only'],
    [{ connectionString: 'x.db?_pragma=busy_timeout(1)' }, 'busyTimeout'],
  ])('refuses %j and names the place', async (metadata, text) => {
    await expect(createSqliteStore(componentSpec('state.sqlite', metadata), componentDeps('/nowhere'))).rejects.toThrow(text);
  });
});
