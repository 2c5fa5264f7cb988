import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const SOURCE = fileURLToPath(new URL('./broker-child.ts', import.meta.url));
/** Below node_modules, so that what is left outside of the bundle is found from there. */
const SCRIPT = fileURLToPath(new URL(`../../node_modules/.cache/weft-test/broker-child-${process.pid}.mjs`, import.meta.url));
let bundled: Promise<unknown> | undefined;

/** Once for all processes of a test file: a loader in each of them would take seconds. */
function bundle(): Promise<unknown> {
  bundled ??= build({
    entryPoints: [SOURCE],
    outfile: SCRIPT,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  return bundled;
}

/** A process of its own at the SQLite broker of a directory. */
export interface BrokerProcess {
  readonly pid: number;
  /** What it printed. */
  readonly lines: string[];
  readonly exited: Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

export type BrokerMode = 'consume' | 'publish' | 'persist';

/** @returns the process once it has the broker open */
export async function startBrokerProcess(mode: BrokerMode, ...args: readonly string[]): Promise<BrokerProcess> {
  return observed(process.execPath, [SCRIPT, mode, ...args]);
}

/** As `startBrokerProcess`, for a process that may make no file longer than `kib` KiB: a full disk. `prlimit` gives it space. */
export async function startOnFullDisk(kib: number, mode: BrokerMode, ...args: readonly string[]): Promise<BrokerProcess> {
  const command = [process.execPath, SCRIPT, mode, ...args].map((part) => `'${part}'`).join(' ');
  return observed('/bin/bash', ['-c', `ulimit -S -f ${kib}; exec ${command}`]);
}

async function observed(command: string, args: readonly string[]): Promise<BrokerProcess> {
  await bundle();
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const exited = once(child, 'exit');
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => (line === 'ready' ? resolve() : lines.push(line)));
    exited.then(() => reject(new Error('the broker process ended before it was ready')));
  });
  await ready;
  return { pid: child.pid ?? 0, lines, exited, kill: (signal) => void child.kill(signal) };
}

export interface Handled {
  readonly event: 'begin' | 'end';
  readonly text: string;
  readonly pid: number;
  readonly attempt: number;
}

/** @returns what consumers wrote into `log`, in order */
export function readLog(log: string): Handled[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [];
  return lines.map((line) => {
    const [event, text = '', pid, attempt] = line.split(' ');
    return { event: event as Handled['event'], text, pid: Number(pid), attempt: Number(attempt) };
  });
}
