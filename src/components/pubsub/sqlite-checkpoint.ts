import { statSync } from 'node:fs';
import type { Logger } from '../../telemetry/logger.js';

/** Size of the write-ahead log from which its pages are moved into the database file. */
const LOG_LIMIT_BYTES = 4 * 1024 * 1024;
/** Transactions between two looks at the log's size. */
const LOOK_EVERY = 64;

/**
 * Moves the log into the database file, on a thread of the driver's: it reads, writes and syncs megabytes. Readers and writers go on
 * meanwhile. What the log holds afterwards is overwritten from its start, so its size is measured by what came since.
 */
export class Checkpointer {
  readonly #path: string;
  readonly #logger: Logger;
  #transactions = 0;
  #moved = 0;
  #running: Promise<void> | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** A transaction was committed. */
  committed(): void {
    if (++this.#transactions % LOOK_EVERY !== 0 || this.#running) return;
    // A log that is full-grown stays so: then the number of transactions stands for its content.
    const size = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (size < LOG_LIMIT_BYTES || this.#transactions - this.#moved < LOOK_EVERY * 4) return;
    this.#moved = this.#transactions;
    this.#running = this.#checkpoint().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    await this.#running;
  }

  async #checkpoint(): Promise<void> {
    try {
      const { default: AsyncDatabase } = await import('libsql/promise');
      const database = new AsyncDatabase(this.#path, { timeout: 0 });
      try {
        await database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } finally {
        database.close();
      }
    } catch (error) {
      // The log only grows a little longer: the next look tries again.
      this.#logger.debug('the log was not checkpointed', { error: String(error) });
    }
  }
}
