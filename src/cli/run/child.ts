import { constants } from 'node:os';
import { deferred, sleep } from '../../lib/async.js';
import { spawnGuarded } from '../../lib/guard.js';
import { createTail, readLines } from './lines.js';
import { type Question, questionsTo } from './questions.js';

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
  /** A sidecar: its standard input is open for as long as we live, whose end tells it that we are gone, and it answers questions. */
  readonly lifeline?: boolean;
  /** Takes each line of both outputs; a promise makes the child wait. */
  readonly onLine: (line: string) => Promise<void> | undefined;
}

export interface Exit {
  /** The exit code; 128 + the signal's number when a signal ended it, as shells say it; 127 when it could not be started. */
  readonly code: number;
  /** `exit code 3`, `SIGKILL`, or why it could not be started. */
  readonly text: string;
}

export interface Child {
  readonly pid: number | undefined;
  /** Resolves once, also when the command could not be started. */
  readonly exited: Promise<Exit>;
  /** The last lines it wrote. */
  tail(): readonly string[];
  /** Asks a sidecar. @returns undefined when it does not answer within so many milliseconds */
  ask(question: Question, ms: number): Promise<number | undefined>;
  /** SIGTERM to the child alone: what it started itself, it stops itself. After `graceMs` SIGKILL to its whole group. */
  stop(graceMs: number): Promise<{ readonly exit: Exit; readonly killed: boolean }>;
  /** SIGTERM to the whole group, for commands such as `npm run …` that do not pass it on. */
  stopGroup(graceMs: number): Promise<{ readonly exit: Exit; readonly killed: boolean }>;
  /** SIGKILL to its whole group, now. */
  kill(): void;
}

/** Starts a command in its own process group; nothing of it outlives this process. */
export function startChild(spec: ChildSpec): Child {
  const exited = deferred<Exit>();
  const tail = createTail();
  const { child, signal } = spawnGuarded(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    stdio: spec.lifeline ? ['pipe', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    group: true,
  });
  child.stdin?.on('error', () => {});
  const onLine = (line: string) => {
    tail.push(line);
    return spec.onLine(line);
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) readLines(stream, onLine);
  child.once('error', (error: NodeJS.ErrnoException) => exited.resolve({ code: 127, text: startProblem(spec, error) }));
  child.once('exit', (code, name) => {
    const exit = name
      ? { code: 128 + (constants.signals[name] ?? 0), text: name }
      : { code: code ?? 1, text: `exit code ${code ?? 1}` };
    // What it wrote last may still be in the pipe; a grandchild that keeps the pipe open must not hold us up.
    void Promise.race([new Promise((resolve) => child.once('close', resolve)), sleep(250)]).then(() => exited.resolve(exit));
  });
  const stop = async (graceMs: number, terminate: () => void) => {
    terminate();
    const patience = new AbortController();
    const exit = await Promise.race([exited.promise, sleep(graceMs, patience.signal).then(() => undefined)]);
    patience.abort();
    // Also after a clean exit: a grandchild may be left in the group.
    signal('SIGKILL');
    return { exit: exit ?? (await exited.promise), killed: exit === undefined };
  };
  return {
    pid: child.pid,
    exited: exited.promise,
    tail: tail.lines,
    ask: questionsTo(child),
    stop: (graceMs) => stop(graceMs, () => void child.kill('SIGTERM')),
    stopGroup: (graceMs) => stop(graceMs, () => void signal('SIGTERM')),
    kill: () => void signal('SIGKILL'),
  };
}

function startProblem(spec: ChildSpec, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return `\`${spec.command}\` was not found; is it installed and on PATH?`;
  if (error.code === 'EACCES') return `\`${spec.command}\` may not be executed`;
  return error.message;
}
