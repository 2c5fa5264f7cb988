import { mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Where Weft keeps what outlives a run: `$WEFT_HOME`, else `~/.weft`. Parts: `cache/` (Envoy), `data/` (embedded databases), `logs/`. */
export function weftHome(): string {
  return process.env.WEFT_HOME ?? join(homedir(), '.weft');
}

/** @returns an existing directory below {@link weftHome}, private to the user */
export function weftDir(part: 'cache' | 'data' | 'logs' | 'control-plane'): string {
  const dir = join(weftHome(), part);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

/** @returns a new short private directory for Unix sockets: their paths may have 107 characters at most */
export function runtimeDir(name: string): string {
  const base = process.env.WEFT_RUNTIME_DIR ?? join(tmpdir(), `weft-${userInfo().uid}`);
  const dir = join(base, name);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}
