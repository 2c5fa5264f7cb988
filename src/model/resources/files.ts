import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

export interface SourceFile {
  readonly path: string;
  readonly text?: string;
  /** Why it was not read, one line. */
  readonly problem?: string;
}

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 10_000;
/** For so long files are read in one go before others get their turn. */
const SLICE_MS = 5;

/** @returns the YAML files that stand directly in `dir`, in the order of their names (Dapr's rule: no subdirectories) */
export async function readDirectory(dir: string): Promise<SourceFile[]> {
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((name) => /\.ya?ml$/i.test(name))
      .sort();
  } catch (error) {
    return [{ path: dir, problem: `${reason(error, 'directory')}; check --resources-path` }];
  }
  if (names.length > MAX_FILES) return [{ path: dir, problem: `more than ${MAX_FILES} YAML files; name a smaller directory` }];
  const files: SourceFile[] = [];
  let end = performance.now() + SLICE_MS;
  for (const name of names) {
    files.push(readSource(join(dir, name), 'check its permissions'));
    if (performance.now() < end) continue;
    await setImmediate();
    end = performance.now() + SLICE_MS;
  }
  return files;
}

/**
 * Reads at once: the thread pool is several turns for a file, and where CPUs are busy each of them may wait for milliseconds. What is no
 * file, such as a pipe that nobody writes, is not waited for.
 * @param remedy what to do when it cannot be read
 */
export function readSource(path: string, remedy: string): SourceFile {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(file);
      if (stats.isDirectory()) return { path, problem: `is a directory; ${remedy}` };
      if (!stats.isFile()) return { path, problem: `is not a file; ${remedy}` };
      if (stats.size > MAX_BYTES) return { path, problem: `larger than ${MAX_BYTES / 1024 / 1024} MiB; split it` };
      return { path, text: readFileSync(file, 'utf8').replace(/^\uFEFF/, '') };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { path, problem: `${reason(error, 'file')}; ${remedy}` };
  }
}

function reason(error: unknown, what: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `no such ${what}`;
  if (code === 'EACCES') return 'may not be read';
  if (code === 'ENOTDIR') return 'is not a directory';
  return code === 'EISDIR' ? 'is a directory' : `cannot be read: ${message}`;
}

/**
 * Puts environment variables into a Configuration file as Dapr does: `$NAME` and `${NAME}`, the empty text for an unset one; a `$` before
 * anything else stays.
 */
export const expandEnv = (text: string, env: NodeJS.ProcessEnv): string =>
  text.replace(/\$\{([^}]*)\}|\$([A-Za-z_]\w*)/g, (_, braced?: string, plain?: string) => env[braced ?? plain ?? ''] ?? '');
