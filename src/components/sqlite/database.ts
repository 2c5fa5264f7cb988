import { statSync } from 'node:fs';
import Database from 'libsql';
import type { MaybePromise } from '../../blocks/state/contract.js';
import { messageOf } from '../../errors.js';
import { sleep } from '../../lib/async.js';

export interface DatabaseOptions {
  /** A path, a `file:` URL with `_pragma=name(value)` parameters, or `:memory:`. */
  readonly connectionString: string;
  /** How long a call waits for other processes' writes, milliseconds. */
  readonly busyTimeoutMs: number;
  /** False on network file systems. */
  readonly wal: boolean;
}

/** One SQLite file, shared by processes. */
export interface SqliteDatabase {
  readonly db: Database.Database;
  /**
   * Runs `action`, at once when nobody is in the way. While another process writes it is tried again in between other work:
   * SQLite's own waiting would stop the whole process. @throws Error when the file stays locked for `busyTimeoutMs`
   */
  run<T>(action: () => T): MaybePromise<T>;
  /** As `run`, for what writes. @throws Error also when the file is not the one that was opened */
  write<T>(action: () => T): MaybePromise<T>;
  /** Runs `action` as one write transaction; what it throws rolls everything back. @throws Error as `write` */
  transaction<T>(action: () => T): T;
  /** Idempotent. */
  close(): void;
}

const RETRY_MS = { first: 1, most: 20 };
const MEMORY = ':memory:';

/** @throws Error that names the file when it cannot be opened */
export async function openDatabase(options: DatabaseOptions): Promise<SqliteDatabase> {
  const { path, pragmas } = parseConnectionString(options.connectionString);
  const db = open(path);
  let closed = false;
  const checkFile = path === MEMORY ? () => {} : fileCheck(path);
  const database: SqliteDatabase = {
    db,
    run: (action) => {
      try {
        return action();
      } catch (error) {
        if (!isBusy(error)) throw explained(error, path);
        return retry(action, options.busyTimeoutMs).catch((later) => {
          throw explained(later, path);
        });
      }
    },
    write: (action) =>
      database.run(() => {
        checkFile();
        return action();
      }),
    transaction(action) {
      checkFile();
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = action();
        db.exec('COMMIT');
        return result;
      } catch (error) {
        if (db.inTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      db.close();
    },
  };
  try {
    // Committed data survives a crash of the process; a power cut may take the last moments, never the file's consistency.
    const setUp = ['busy_timeout = 0', `journal_mode = ${options.wal ? 'WAL' : 'DELETE'}`, 'synchronous = NORMAL', ...pragmas];
    for (const pragma of setUp) await database.run(() => db.exec(`PRAGMA ${pragma}`));
    return database;
  } catch (error) {
    database.close();
    throw new Error(`cannot open database ${path}: ${messageOf(error)}`);
  }
}

function open(path: string): Database.Database {
  try {
    return new Database(path);
  } catch (error) {
    throw new Error(`cannot open database ${path}: ${messageOf(error)}; its directory must exist and be writable`);
  }
}

/** Set by options of their own, or of no use here. */
const FORBIDDEN_PRAGMA = /^(busy_timeout|journal_mode|foreign_keys)\b/i;

function parseConnectionString(text: string): { path: string; pragmas: string[] } {
  const [location = '', query = ''] = text.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  if (parameters.get('mode') === 'ro' || parameters.get('immutable') === '1')
    throw new Error('metadata connectionString: a read-only database cannot hold state');
  const pragmas = parameters.getAll('_pragma').map((pragma) => {
    const [, name, value] = /^(\w+)\(([\w-]+)\)$/.exec(pragma) ?? [];
    if (name === undefined || FORBIDDEN_PRAGMA.test(name))
      throw new Error(`metadata connectionString: _pragma=${pragma} is not allowed; use busyTimeout and disableWAL`);
    return `${name} = ${value}`;
  });
  const path = location.replace(/^file:(\/\/)?/i, '');
  return { path: path === '' ? MEMORY : path, pragmas };
}

/**
 * A file that was deleted lives on for who has it open: whatever is written there is gone with the last of them, and who opens the path
 * next begins another file. @returns what throws as soon as `path` is not the file that it is now
 */
function fileCheck(path: string): () => void {
  const own = statSync(path, { throwIfNoEntry: false });
  return () => {
    const now = statSync(path, { throwIfNoEntry: false });
    if (now && now.ino === own?.ino && now.dev === own.dev) return;
    throw new Error(`${path} was ${now ? 'replaced' : 'deleted'} while it was in use: restart the sidecars that use it`);
  };
}

/** What SQLite says of a file in trouble names neither the file nor what to do. */
const REMEDIES: readonly (readonly [code: string, remedy: string])[] = [
  ['SQLITE_FULL', 'free some space'],
  ['SQLITE_READONLY', 'file and directory must be writable'],
  ['SQLITE_IOERR', 'look at the disk and at its free space'],
  ['SQLITE_CORRUPT', 'restore the file, or move it away and restart'],
  ['SQLITE_NOTADB', 'restore the file, or move it away and restart'],
];

function explained(error: unknown, path: string): unknown {
  const remedy = REMEDIES.find(([code]) => codeOf(error).startsWith(code))?.[1];
  return remedy === undefined ? error : new Error(`${path}: ${messageOf(error)}: ${remedy}`, { cause: error });
}

const codeOf = (error: unknown) => String((error as { code?: unknown } | null)?.code ?? '');

function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
}

async function retry<T>(action: () => T, busyTimeoutMs: number): Promise<T> {
  const end = performance.now() + busyTimeoutMs;
  for (let wait = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.most)) {
    await sleep(wait * (0.5 + Math.random()));
    try {
      return action();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() >= end) throw new Error(`the database was locked by other processes for ${busyTimeoutMs} ms`);
    }
  }
}
