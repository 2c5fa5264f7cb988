import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive } from '../../lib/alive.js';
import { sleep } from '../../lib/async.js';

const POLL_MS = 200;
const TELL_EVERY = 25;
/** Longer than any download that still makes sense to wait for. */
const DEADLINE_MS = 15 * 60_000;

/**
 * Runs `work` while no other process runs it under the same lock file. A holder that died is noticed by its process id.
 * The lock only saves work: what it guards is put in place by a rename and stays right without it.
 */
export async function withFileLock(path: string, report: (line: string) => void, work: () => Promise<void>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  for (let tries = 0; !take(path); tries += 1) {
    if (performance.now() > end)
      throw new Error(`${path} was held for ${DEADLINE_MS / 60_000} minutes; remove it if nothing runs`);
    if (tries % TELL_EVERY === 0) report(`Waiting for process ${holder(path) ?? '?'}, which fetches the same file`);
    await sleep(POLL_MS);
  }
  try {
    await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const pid = holder(path);
    if (pid !== undefined && !isAlive(pid)) rmSync(path, { force: true });
    return false;
  }
}

/** @returns undefined while its writer has not written yet, or when the lock has just gone */
function holder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
