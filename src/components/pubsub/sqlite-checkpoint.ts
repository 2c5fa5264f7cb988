import { statSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';

/** Size of the write-ahead log from which its pages are moved into the database file. */
const LOG_LIMIT_BYTES = 4 * 1024 * 1024;
/** Size at which publishers wait for that: a disk that is slower than they are must not fill up. */
const LOG_FULL_BYTES = 3 * LOG_LIMIT_BYTES;
/** Transactions between two looks at the log's size. */
const LOOK_EVERY = 8;
/** For how long the last step may wait for writers to pause, milliseconds; they wait as long for it in turn. */
const PAUSE_LIMIT_MS = 200;

/** Moves the log into the database file, on a thread of the driver's, since that reads, writes and syncs megabytes. */
export class Checkpointer {
  readonly #path: string;
  readonly #logger: Logger;
  #transactions = 0;
  #running: Promise<void> | undefined;
  #full = false;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** A transaction was committed. */
  committed(): void {
    if (++this.#transactions % LOOK_EVERY !== 0) return;
    const size = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    this.#full = size >= LOG_FULL_BYTES;
    if (size < LOG_LIMIT_BYTES || this.#running) return;
    this.#running = this.#checkpoint().finally(() => {
      this.#running = undefined;
      this.#full = false;
    });
  }

  /** @returns what to wait for before more is written; undefined while there is room. It ends with the attempt, even with a failed one */
  room(): Promise<void> | undefined {
    return this.#full ? this.#running : undefined;
  }

  async close(): Promise<void> {
    await this.#running;
  }

  async #checkpoint(): Promise<void> {
    try {
      const { default: AsyncDatabase } = await import('libsql/promise');
      const database = new AsyncDatabase(this.#path, { timeout: PAUSE_LIMIT_MS });
      try {
        // The bulk of it beside the writers; then, with them held for a moment, what they added meanwhile. Without the second step
        // a log that is written all the time would never start anew.
        await database.exec('PRAGMA wal_checkpoint(PASSIVE)');
        await database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } finally {
        database.close();
      }
    } catch (error) {
      // The log only grows a little longer: the next look tries again.
      this.#logger.debug('the log was not checkpointed', { error: messageOf(error) });
    }
  }
}
