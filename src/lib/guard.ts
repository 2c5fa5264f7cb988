import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

export interface GuardedChild {
  readonly child: ChildProcess;
  /** Signals the child, or its whole group when it was spawned with `group`. False: it is gone already. */
  signal(name: NodeJS.Signals): boolean;
}

export interface GuardOptions extends SpawnOptions {
  /** Makes the child leader of its own process group and guards the group: for commands that start children themselves. */
  readonly group?: boolean;
}

/**
 * Spawns a child that never outlives this process, even when this process is killed with SIGKILL. Node cannot ask the kernel
 * for a death signal, so a tiny shell waits on a pipe whose other end only this process holds: the end of the pipe is the end
 * of the child.
 */
export function spawnGuarded(command: string, args: readonly string[], options: GuardOptions = {}): GuardedChild {
  const { group = false, ...spawnOptions } = options;
  const child = spawn(command, args, { ...spawnOptions, detached: group });
  const target = () => (group ? -(child.pid ?? 0) : (child.pid ?? 0));
  const signal = (name: NodeJS.Signals) => {
    if (child.pid === undefined || (!group && child.exitCode !== null)) return false;
    try {
      return process.kill(target(), name);
    } catch {
      return false;
    }
  };
  if (child.pid !== undefined) watch(child, target());
  return { child, signal };
}

function watch(child: ChildProcess, target: number): void {
  // POSIX's long form: dash takes `--` after `-s TERM` only, and a group's id begins with a dash.
  const script = 'cat >/dev/null; kill -s TERM -- "$1" 2>/dev/null || exit 0; sleep 1; kill -s KILL -- "$1" 2>/dev/null';
  const guard = spawn('/bin/sh', ['-c', script, 'weft-guard', String(target)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => {});
  guard.stdin?.on('error', () => {});
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  // The guard's group: the shell alone would leave its `cat` behind for as long as we live.
  child.once('exit', () => {
    try {
      if (guard.pid !== undefined) process.kill(-guard.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  });
}
