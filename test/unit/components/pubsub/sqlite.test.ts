import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PubSub } from '../../../../src/blocks/pubsub/contract.js';
import { createSqlitePubSub } from '../../../../src/components/pubsub/sqlite.js';
import { deferred } from '../../../../src/lib/async.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { componentDeps, componentSpec, testDir } from '../../../support/component-deps.js';
import { eventually } from '../../../support/eventually.js';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const message = (text: string, topic = 'orders') => ({ topic, data: Buffer.from(text), contentType: 'text/plain', metadata: {} });
const group = (consumerId = 'g', topic = 'orders') => ({ topic, consumerId, metadata: {} });

async function open(dir: string, metadata: Record<string, string> = {}): Promise<PubSub> {
  const spec = componentSpec('pubsub.sqlite', { connectionString: 'broker.db', redeliverInterval: '20ms', ...metadata });
  const broker = await createSqlitePubSub(spec, componentDeps(dir));
  onTestFinished(() => broker.close());
  return broker;
}

/** What lies in the file, read by a connection of the test's own. */
function read(dir: string, sql: string): unknown[] {
  const db = new Database(join(dir, 'broker.db'));
  try {
    return db.prepare(sql).all([]);
  } finally {
    db.close();
  }
}
const stored = (dir: string) => (read(dir, 'SELECT count(*) AS n FROM messages') as { n: number }[])[0]!.n;

async function collect(broker: PubSub, consumerId = 'g') {
  const got: string[] = [];
  const subscription = await broker.subscribe(group(consumerId), async ({ data }) => void got.push(data.toString()));
  return { got, subscription };
}

describe('the SQLite broker', () => {
  it('keeps messages and groups over a restart', async () => {
    const dir = testDir();
    const first = await open(dir);
    await (await collect(first)).subscription.stop(100);
    await first.publish(message('kept'));
    await first.close();
    const { got } = await collect(await open(dir));
    await eventually(() => expect(got).toEqual(['kept']));
  });

  it('is heard by other brokers of the same file at once', async () => {
    const dir = testDir();
    const { got } = await collect(await open(dir));
    const other = await open(dir);
    await other.publish(message('hello'));
    await eventually(() => expect(got).toEqual(['hello']), 900);
  });

  it('makes a group again that was forgotten under a living consumer', async () => {
    const dir = testDir();
    const broker = await open(dir, { consumerExpiry: '300ms' });
    const { got } = await collect(broker);
    const db = new Database(join(dir, 'broker.db'));
    db.exec('DELETE FROM consumer_groups');
    db.close();
    await eventually(() => expect(read(dir, 'SELECT id FROM consumer_groups')).toHaveLength(1));
    await broker.publish(message('hello'));
    await eventually(() => expect(got).toEqual(['hello']));
  });

  it('removes what every group has read, and keeps what one has not', async () => {
    const dir = testDir();
    const broker = await open(dir);
    const away = await collect(broker, 'away');
    await away.subscription.stop(10);
    const { got } = await collect(broker, 'here');
    for (const text of ['1', '2', '3']) await broker.publish(message(text));
    await eventually(() => expect(got).toHaveLength(3));
    await sleep(1_500);
    expect(stored(dir)).toBe(3);
    await collect(broker, 'away');
    await eventually(() => expect(stored(dir)).toBe(0));
    expect(read(dir, 'SELECT messages FROM topics')).toEqual([{ messages: 0 }]);
    expect(read(dir, 'SELECT * FROM inflight')).toEqual([]);
  });

  it('stores nothing that nobody will read, unless retention asks for it', async () => {
    const dir = testDir();
    const broker = await open(dir);
    await broker.publish(message('unheard'));
    expect(stored(dir)).toBe(0);
    await broker.close();
    const keeping = await open(dir, { retention: '1h' });
    await keeping.publish(message('kept'));
    const { got } = await collect(keeping);
    await eventually(() => expect(got).toEqual(['kept']));
    await sleep(1_500);
    expect(stored(dir)).toBe(1);
  });

  it('forgets groups that have long had no consumer, and what was kept for them', async () => {
    const dir = testDir();
    const broker = await open(dir, { consumerExpiry: '100ms' });
    const { subscription } = await collect(broker, 'gone');
    await subscription.stop(10);
    await broker.publish(message('for nobody'));
    await eventually(() => expect([stored(dir), read(dir, 'SELECT * FROM consumer_groups')]).toEqual([0, []]));
  });

  it('removes messages whose time is over though nobody asks for them', async () => {
    const dir = testDir();
    const broker = await open(dir);
    await (await collect(broker)).subscription.stop(10);
    await broker.publish({ ...message('short'), metadata: { ttlInSeconds: '0.05' } });
    expect(stored(dir)).toBe(1);
    await eventually(() => expect(stored(dir)).toBe(0));
  });

  it('publishes what comes in one turn as one transaction', async () => {
    const dir = testDir();
    const broker = await open(dir);
    await (await collect(broker)).subscription.stop(10);
    const before = statSync(join(dir, 'broker.db-wal')).size;
    await Promise.all(Array.from({ length: 200 }, (_, index) => broker.publish(message(String(index)))));
    const together = statSync(join(dir, 'broker.db-wal')).size - before;
    for (let i = 0; i < 20; i++) await broker.publish(message(String(i)));
    const alone = statSync(join(dir, 'broker.db-wal')).size - before - together;
    // Every transaction writes whole pages: two hundred messages in one take less than twenty in twenty.
    expect(together).toBeLessThan(alone);
    expect(stored(dir)).toBe(220);
  });

  it('waits for a writer of another process without holding up this one, then says why it gave up', async () => {
    const dir = testDir();
    const broker = await open(dir, { busyTimeout: '300ms' });
    const other = new Database(join(dir, 'broker.db'));
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    await expect(broker.publish(message('x'))).rejects.toThrow(/locked/);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    other.exec('ROLLBACK');
    await broker.publish(message('x'));
  });

  it('keeps the log from growing without end', async () => {
    const dir = testDir();
    const broker = await open(dir, { synchronous: 'normal' });
    const { got } = await collect(broker);
    const big = 'x'.repeat(20_000);
    let most = 0;
    for (let i = 0; i < 900; i++) {
      await broker.publish(message(big));
      most = Math.max(most, statSync(join(dir, 'broker.db-wal')).size);
    }
    await eventually(() => expect(got).toHaveLength(900));
    // From twelve megabytes on publishers wait. Without checkpoints it would take far more than the eighteen that were published.
    expect(most).toBeLessThan(16_000_000);
  });

  it('pauses between its tries while the file cannot be written', async () => {
    const dir = testDir();
    const troubles: number[] = [];
    const logger = { ...silentLogger, error: () => void troubles.push(performance.now()) };
    const spec = componentSpec('pubsub.sqlite', { connectionString: 'broker.db', maxInFlight: '1' });
    const broker = await createSqlitePubSub(spec, { ...componentDeps(dir), logger });
    onTestFinished(() => broker.close());
    const first = deferred<void>();
    let asked = 0;
    await broker.subscribe(group(), async () => {
      asked += 1;
      await first.promise;
    });
    await Promise.all(['one', 'two'].map((text) => broker.publish(message(text))));
    await eventually(() => expect(asked).toBe(1));
    // The first message is under way, the second one lies there. What is read goes on being read.
    for (const file of ['broker.db', 'broker.db-wal', 'broker.db-shm']) rmSync(join(dir, file));
    first.resolve();
    await eventually(() => expect(troubles.length).toBeGreaterThan(1));
    expect((troubles[1] ?? 0) - (troubles[0] ?? 0)).toBeGreaterThan(500);
  });

  it('refuses files that are not its own, by name and remedy', async () => {
    const dir = testDir();
    const db = new Database(join(dir, 'broker.db'));
    db.exec('PRAGMA user_version = 99');
    await expect(open(dir)).rejects.toThrow(
      /broker\.db has schema version 99, this Weft knows 1; update Weft or move the file away/,
    );
    db.exec('PRAGMA user_version = 0; CREATE TABLE customers (id)');
    db.close();
    await expect(open(dir)).rejects.toThrow(/holds a table customers and is not a message broker's file/);
    writeFileSync(join(dir, 'text.db'), 'this is not a database at all, only text that is long enough to be read as one');
    await expect(open(dir, { connectionString: 'text.db' })).rejects.toThrow(/text\.db.*not a database/);
    await expect(open(dir, { connectionString: '/nowhere/at/all.db' })).rejects.toThrow(/its directory must exist/);
  });

  it.each([
    [{ maxLength: 'many' }, /metadata maxLength: 'many' is not a whole number of at least 1/],
    [{ maxInFlight: '0' }, /metadata maxInFlight: '0'/],
    [{ synchronous: 'sometimes' }, /metadata synchronous: 'sometimes' is not one of full, normal/],
    [{ processingTimeout: '10ms' }, /metadata processingTimeout: must be 100ms or more/],
    [{ retention: 'soon' }, /metadata retention: 'soon' is not a duration/],
    [{ connectionString: ':memory:' }, /use pubsub.in-memory/],
  ])('refuses %j with the reason', async (metadata, reason) => {
    await expect(open(testDir(), metadata as Record<string, string>)).rejects.toThrow(reason);
  });
});
