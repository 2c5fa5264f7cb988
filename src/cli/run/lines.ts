import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { weftDir } from '../../lib/weft-home.js';

/** A line without an end is cut here, so that a binary stream cannot grow our memory. */
const MAX_LINE = 64 * 1024;
const TAIL_LINES = 15;
/** Log files kept for one app and kind. */
const KEEP_FILES = 5;

/**
 * Calls `onLine` for every line of a stream. When it returns a promise, the stream rests until that resolves: a slow terminal
 * slows the app down, as if the app wrote to it itself.
 */
export function readLines(stream: Readable, onLine: (line: string) => Promise<void> | undefined): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const emit = (line: string) => {
    const wait = onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    if (!wait) return;
    stream.pause();
    void wait.then(() => stream.resume());
  };
  stream.on('data', (chunk: Buffer) => {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) emit(line);
    for (; rest.length > MAX_LINE; rest = rest.slice(MAX_LINE)) emit(rest.slice(0, MAX_LINE));
  });
  stream.once('end', () => {
    rest += decoder.end();
    if (rest !== '') emit(rest);
  });
  stream.on('error', () => {});
}

/** Remembers the last lines, for the report of a failure. */
export function createTail(limit = TAIL_LINES): { push(line: string): void; lines(): readonly string[] } {
  const kept: string[] = [];
  return {
    push(line) {
      kept.push(line);
      if (kept.length > limit) kept.shift();
    },
    lines: () => [...kept],
  };
}

export interface LogFile {
  readonly path: string;
  write(line: string): void;
  close(): void;
}

export type LogKind = 'app' | 'sidecar';
const fileName = (appId: string, kind: LogKind, stamp: string) => `${appId}_${kind}_${stamp}.log`;

/** Opens a new log file under `~/.weft/logs` and removes the oldest ones of the same app and kind. */
export function openLogFile(appId: string, kind: LogKind, now: Date): LogFile {
  const directory = weftDir('logs');
  for (const old of logFiles(appId, kind).slice(0, -(KEEP_FILES - 1))) rmSync(old, { force: true });
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').replace('.', '-').replace('Z', '');
  const path = join(directory, fileName(appId, kind, stamp));
  // Synchronous writes: the last words of an app that is killed are in the file, and nothing queues up.
  const handle = openSync(path, 'a', 0o600);
  let open = true;
  return {
    path,
    write(line) {
      if (open) writeSync(handle, `${line}\n`);
    },
    close() {
      if (open) closeSync(handle);
      open = false;
    },
  };
}

/** @returns the log files of an app, oldest first */
export function logFiles(appId: string, kind: LogKind): readonly string[] {
  const directory = weftDir('logs');
  const start = fileName(appId, kind, '').replace(/\.log$/, '');
  // The rest must be a time and nothing else: an app may be called `orders_app`.
  const mine = (name: string) => name.startsWith(start) && /^\d{8}-\d{6}-\d{3}\.log$/.test(name.slice(start.length));
  return readdirSync(directory)
    .filter(mine)
    .sort()
    .map((name) => join(directory, name));
}
