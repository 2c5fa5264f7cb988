import { readFileSync } from 'node:fs';

/** @returns whether the process exists and has not ended: one that its parent has yet to reap (a zombie) has ended */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    // proc(5): pid (command) state …, and the command may hold anything, brackets too.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return true;
  }
}
