import { type FSWatcher, watch } from 'node:fs';
import type Database from 'libsql';

/** Without news from the file system, the file is looked at so often, milliseconds. */
const POLL_MS = 1_000;
const POLL_WITHOUT_WATCH_MS = 50;

/** Tells when another process has written to the database: by the file system's notice, and by a look now and then in case one is missed. */
export class ChangeSignal {
  readonly #version: Database.Statement<unknown[]>;
  readonly #onChange: () => void;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #scheduled = false;
  #closed = false;
  #seen: number;

  constructor(db: Database.Database, walPath: string, onChange: () => void) {
    this.#version = db.prepare('PRAGMA data_version');
    this.#onChange = onChange;
    this.#seen = this.#read();
    try {
      this.#watcher = watch(walPath, { persistent: false }, () => this.#soon());
      this.#watcher.on('error', () => this.#unwatched());
      this.#poll(POLL_MS);
    } catch {
      this.#unwatched();
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  /** Systems have a limit on watches; then a look every now and then has to do. */
  #unwatched(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    if (!this.#closed) this.#poll(POLL_WITHOUT_WATCH_MS);
  }

  #poll(ms: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), ms);
    this.#timer.unref();
  }

  /** One commit gives several notices. */
  #soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#closed) return;
    const version = this.#read();
    if (version === this.#seen) return;
    this.#seen = version;
    this.#onChange();
  }

  /** Our own commits do not count. A file that is locked at this moment is looked at again. */
  #read(): number {
    try {
      return (this.#version.get([]) as { data_version: number }).data_version;
    } catch {
      return -1;
    }
  }
}
