import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A file that is being written anew is empty for a moment. Reading it then would take its resources out of force, so a file that has just
 * become empty gets a little more time.
 * @returns a function that says whether any file became empty since it was last asked
 */
export function watchForEmptied(paths: readonly string[]): () => boolean {
  let before = emptyFiles(paths);
  return () => {
    const now = emptyFiles(paths);
    const emptied = [...now].some((file) => !before.has(file));
    before = now;
    return emptied;
  };
}

function emptyFiles(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.flatMap(filesOf).filter(isEmpty));
}

function filesOf(path: string): string[] {
  try {
    return statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
  } catch {
    return [];
  }
}

function isEmpty(path: string): boolean {
  try {
    const { size } = statSync(path);
    return size === 0;
  } catch {
    return false;
  }
}
