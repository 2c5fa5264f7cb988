import { randomUUID } from 'node:crypto';
import type { ComponentDeps, ComponentFactory, ComponentSpec } from '../../blocks/component.js';
import {
  type DeleteRequest,
  EtagError,
  type SetRequest,
  type StateCapability,
  type StateEntry,
  type StateStore,
  type TransactionOperation,
} from '../../blocks/state/contract.js';
import { duration, flag, identifier, type Options, readOptions, text } from '../options.js';
import { openDatabase, type SqliteDatabase } from '../sqlite/database.js';
import { fromSqlTime, sqliteStatements, toSqlTime } from './sqlite-statements.js';

/** Names and defaults as Dapr's state.sqlite, except that a file of one's own is not needed and expired rows are cleaned up. */
const optionSchema = {
  /** A path, `file:` URL or `:memory:`. Default: a file that the sidecars of this machine share. */
  connectionString: { ...text(''), aliases: ['url'] },
  tableName: identifier('state'),
  /** How long a call may wait for other processes' writes; whichever of the two is shorter. */
  timeout: duration(20_000, ['timeoutInSeconds']),
  busyTimeout: duration(2_000),
  disableWAL: flag(false),
  /** Zero or less: expired rows stay in the file, though nobody sees them. */
  cleanupInterval: duration(60_000, ['cleanupIntervalInSeconds']),
};

type SqliteOptions = Options<typeof optionSchema>;

/** State in an SQLite file with Dapr's own table layout, so that a file of daprd's can be taken over. */
export const createSqliteStore: ComponentFactory<StateStore> = async (spec, deps) => {
  const options = readOptions(spec, optionSchema);
  if (options.timeout < 1000) throw new Error('metadata timeout: must be 1s or more');
  const database = await openDatabase({
    connectionString: options.connectionString || defaultFile(spec, deps),
    busyTimeoutMs: Math.min(options.busyTimeout, options.timeout),
    wal: !options.disableWAL,
  });
  try {
    await database.run(() => database.db.exec(sqliteStatements(options.tableName).create));
    return sqliteStore(database, options, deps);
  } catch (error) {
    database.close();
    throw error;
  }
};

const CAPABILITIES: readonly StateCapability[] = ['ETAG', 'TRANSACTIONAL', 'TTL'];
/** Most keys that are read without letting other requests in between. */
const READ_SLICE = 500;

function defaultFile(spec: ComponentSpec, deps: ComponentDeps): string {
  return `${deps.dataDir}/state-${encodeURIComponent(spec.name)}.db`;
}

function sqliteStore(database: SqliteDatabase, options: SqliteOptions, { logger }: ComponentDeps): StateStore {
  const store = new Rows(database, options.tableName);
  const cleanup = () => {
    Promise.resolve(database.run(() => store.removeExpired())).catch((error) =>
      logger.warn('expired state was not cleaned up', { error: String(error) }),
    );
  };
  const timer = options.cleanupInterval > 0 ? setInterval(cleanup, options.cleanupInterval) : undefined;
  timer?.unref();

  return {
    capabilities: CAPABILITIES,
    get: (key) => database.run(() => store.get(key)),
    set: (request) => database.write(() => store.set(request)),
    delete: (request) => database.write(() => store.delete(request)),
    async bulkGet(keys) {
      const entries: (StateEntry | undefined)[] = [];
      for (let from = 0; from < keys.length; from += READ_SLICE) {
        if (from > 0) await new Promise(setImmediate);
        const slice = keys.slice(from, from + READ_SLICE);
        entries.push(...(await database.run(() => slice.map((key) => store.get(key)))));
      }
      return entries;
    },
    transact: (operations) => database.run(() => database.transaction(() => store.all(operations))),
    async close() {
      clearInterval(timer);
      database.close();
    },
  };
}

interface Row {
  readonly value: string | Buffer;
  readonly is_binary: number;
  readonly etag: string;
  readonly expiration_time: string | null;
}

/** The operations on one table, each one synchronous: nothing else of this process can come between. */
class Rows {
  readonly #get;
  readonly #put;
  readonly #putNew;
  readonly #putMatching;
  readonly #delete;
  readonly #deleteMatching;
  readonly #expire;
  /** Unique over processes by its random part, over writes by its count. */
  readonly #etagBase = randomUUID().slice(0, 13);
  #writes = 0;

  constructor({ db }: SqliteDatabase, table: string) {
    const sql = sqliteStatements(table);
    this.#get = db.prepare(sql.get);
    this.#put = db.prepare(sql.put);
    this.#putNew = db.prepare(sql.putNew);
    this.#putMatching = db.prepare(sql.putMatching);
    this.#delete = db.prepare(sql.delete);
    this.#deleteMatching = db.prepare(sql.deleteMatching);
    this.#expire = db.prepare(sql.expire);
  }

  get(key: string): StateEntry | undefined {
    const row = this.#get.get(key) as Row | undefined;
    if (row === undefined) return undefined;
    const expiresAtMs = row.expiration_time === null ? undefined : fromSqlTime(row.expiration_time);
    if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) return undefined;
    return { value: bytes(row), etag: row.etag, expiresAtMs };
  }

  set({ key, value, etag, concurrency, ttlSeconds = 0 }: SetRequest): void {
    this.#writes += 1;
    const now = Date.now();
    const row = [value, `${this.#etagBase}-${this.#writes}`, ttlSeconds > 0 ? toSqlTime(now + ttlSeconds * 1000) : null];
    if (etag) {
      if (this.#putMatching.run(...row, key, etag, toSqlTime(now)).changes === 0) throw mismatch(key, etag);
    } else if (concurrency === 'first-write') {
      if (this.#putNew.run(key, ...row, toSqlTime(now)).changes === 0) throw exists(key);
    } else this.#put.run(key, ...row);
  }

  delete({ key, etag, concurrency }: DeleteRequest): void {
    if (etag) {
      if (this.#deleteMatching.run(key, etag, toSqlTime(Date.now())).changes === 0) throw mismatch(key, etag);
      return;
    }
    if (concurrency === 'first-write' && this.get(key)) throw exists(key);
    this.#delete.run(key);
  }

  all(operations: readonly TransactionOperation[]): void {
    for (const { kind, request } of operations) {
      if (kind === 'upsert') this.set(request);
      else this.delete(request);
    }
  }

  removeExpired(): void {
    this.#expire.run(toSqlTime(Date.now()));
  }
}

function bytes({ value, is_binary }: Row): Buffer {
  // Ours are BLOBs. Rows of daprd's are text: JSON, or base64 of what came as bytes.
  if (typeof value !== 'string') return Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.from(value, is_binary ? 'base64' : 'utf8');
}

const mismatch = (key: string, etag: string) => new EtagError('mismatch', key, `the etag of ${key} is not ${etag}`);
const exists = (key: string) => new EtagError('mismatch', key, `${key} exists already and no etag was given`);
