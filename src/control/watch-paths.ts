import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.js';

const POLL_MS = 1_000;

/**
 * Calls `onChange` when a file in one of the directories, or one of the files, may have changed. `fs.watch` is quick but not on every
 * file system there, and it loses a directory that is replaced as a whole; looking at sizes and times once a second finds the rest.
 * @returns stop watching
 */
export function watchPaths(paths: readonly string[], onChange: () => void, clock: Clock): () => void {
  const watchers = new Map<string, FSWatcher>();
  let seen = signatureOf(paths);
  let cancel = () => {};

  const open = (path: string) => {
    if (watchers.has(path)) return;
    try {
      const watcher = watch(path, { persistent: false }, onChange);
      watchers.set(path, watcher);
      const drop = () => {
        watchers.delete(path);
        watcher.close();
      };
      watcher.on('error', drop);
    } catch {
      // Not there, or no watch to be had: the poll sees it.
    }
  };
  const look = () => {
    const now = signatureOf(paths);
    if (now !== seen) onChange();
    seen = now;
    for (const path of paths) open(path);
    cancel = clock.after(POLL_MS, look);
  };
  for (const path of paths) open(path);
  if (paths.length > 0) cancel = clock.after(POLL_MS, look);

  return () => {
    cancel();
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

/** @returns what is another text when a file in one of the directories, or one of the files, has changed */
export const signatureOf = (paths: readonly string[]): string => paths.map(signature).join();

function signature(path: string): string {
  try {
    const self = statSync(path);
    const parts = self.isDirectory()
      ? readdirSync(path)
          .sort()
          .map((name) => fileSignature(join(path, name)))
      : [];
    return [fileSignature(path), ...parts].join();
  } catch {
    return `${path}:absent`;
  }
}

function fileSignature(path: string): string {
  try {
    const { size, mtimeMs, ino } = statSync(path);
    return `${path}:${size}:${mtimeMs}:${ino}`;
  } catch {
    return `${path}:absent`;
  }
}
