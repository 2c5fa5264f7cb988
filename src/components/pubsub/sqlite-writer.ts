import { closeSync, fdatasync, openSync } from 'node:fs';
import type { SqliteDatabase } from '../sqlite/database.js';
import { type BrokerRows, Refused } from './sqlite-rows.js';

interface Write {
  readonly action: () => unknown;
  readonly durable: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Result = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

export interface WriterOptions {
  readonly database: SqliteDatabase;
  readonly rows: BrokerRows;
  readonly walPath: string;
  /** False: publishes do not wait for the disk. */
  readonly sync: boolean;
  /** After each transaction, with the bytes that it may have added to the log. */
  readonly onCommit: () => void;
}

/** Most writes of one transaction, so that a burst does not hold up everything else in this process. */
const BATCH_LIMIT = 256;

/**
 * Group commit. Writes of one turn of the event loop share a transaction, and transactions share a sync: the disk is waited for off
 * the event loop and outside the file's lock, so neither other requests nor other processes stand still while it works.
 */
export class GroupWriter {
  readonly #options: WriterOptions;
  readonly #log: LogSync;
  #waiting: Write[] = [];
  #flushing: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#log = new LogSync(options.walPath);
  }

  /** Resolves when `action`'s transaction is committed: a crash of this process cannot undo it. */
  write<T>(action: () => T): Promise<T> {
    return this.#add(action, false);
  }

  /** Resolves when `action`'s transaction is on disk: a power cut cannot undo it. */
  writeDurably<T>(action: () => T): Promise<T> {
    return this.#add(action, this.#options.sync);
  }

  /** Waits for everything that was written so far, then releases the file. */
  async close(): Promise<void> {
    while (this.#flushing) await this.#flushing;
    await this.#log.close();
  }

  #add<T>(action: () => T, durable: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ action, durable, resolve: resolve as (value: unknown) => void, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    do {
      await new Promise(setImmediate);
      const batch = this.#waiting.splice(0, BATCH_LIMIT);
      try {
        const committed = this.#options.database.run(() => this.#transact(batch));
        this.#settle(batch, committed instanceof Promise ? await committed : committed);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    } while (this.#waiting.length > 0);
    this.#flushing = undefined;
  }

  #transact(batch: readonly Write[]): Result[] {
    const { database, rows } = this.#options;
    return database.transaction(() => {
      rows.begin();
      const results = batch.map(({ action }): Result => {
        try {
          return { ok: true, value: action() };
        } catch (error) {
          if (error instanceof Refused) return { ok: false, error };
          throw error;
        }
      });
      rows.end();
      return results;
    });
  }

  #settle(batch: readonly Write[], results: readonly Result[]): void {
    this.#options.onCommit();
    const synced = batch.some(({ durable }) => durable) ? this.#log.sync() : undefined;
    batch.forEach(({ durable, resolve, reject }, index) => {
      const result = results[index];
      if (!result?.ok) reject(result?.error);
      else if (durable && synced) synced.then(() => resolve(result.value), reject);
      else resolve(result.value);
    });
  }
}

/** Brings SQLite's write-ahead log to disk: what `synchronous = FULL` does, without its wait inside the commit. */
class LogSync {
  readonly #fd: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(path: string) {
    // The log is one and the same file for as long as any process has the database open. Its locks lie on other files, so that
    // closing this descriptor releases none of them.
    this.#fd = openSync(path, 'r+');
  }

  /** Resolves when everything that was written before this call is on disk. */
  sync(): Promise<void> {
    if (!this.#running) return this.#start();
    // The one under way may have begun before our write: everybody who comes meanwhile shares the one after it.
    this.#next ??= this.#running.catch(() => {}).then(() => this.#start());
    return this.#next;
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => {});
    closeSync(this.#fd);
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const running = new Promise<void>((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        if (this.#running === running) this.#running = undefined;
        if (error) reject(error);
        else resolve();
      });
    });
    this.#running = running;
    return running;
  }
}
