import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface SourceFile {
  readonly path: string;
  readonly text?: string;
  /** Why it was not read, one line. */
  readonly problem?: string;
}

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 10_000;

/** @returns the YAML files that stand directly in `dir`, in the order of their names (Dapr's rule: no subdirectories) */
export async function readDirectory(dir: string): Promise<SourceFile[]> {
  let names: string[];
  try {
    names = (await readdir(dir)).filter((name) => /\.ya?ml$/i.test(name)).sort();
  } catch (error) {
    return [{ path: dir, problem: `${reason(error, 'directory')}; check --resources-path` }];
  }
  if (names.length > MAX_FILES) return [{ path: dir, problem: `more than ${MAX_FILES} YAML files; name a smaller directory` }];
  return Promise.all(names.map((name) => readSource(join(dir, name), 'check its permissions')));
}

/** @param remedy what to do when it cannot be read */
export async function readSource(path: string, remedy: string): Promise<SourceFile> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > MAX_BYTES) return { path, problem: `larger than ${MAX_BYTES / 1024 / 1024} MiB; split it` };
      return { path, text: (await file.readFile('utf8')).replace(/^\uFEFF/, '') };
    } finally {
      await file.close();
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
