import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findEnvoy } from '../../src/agent/envoy/binary.js';
import { isFree } from '../../src/cli/run/ports.js';
import { deferred, withDeadline } from '../../src/lib/async.js';
import { freePort } from './ports.js';

/** The built CLI as people start it; WEFT_BIN names another build. */
export const WEFT = process.env.WEFT_BIN ?? resolve(import.meta.dirname, '../../bin/weft.mjs');
/** An app that answers every request with what it was given. */
export const MIRROR_APP = resolve(import.meta.dirname, 'apps/mirror.mjs');

export interface CliProcess {
  readonly pid: number;
  /** Both outputs so far. */
  text(): string;
  /** Resolves with the first match of `pattern` in the output. @throws after `ms` milliseconds, with the output */
  until(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  /** The exit code; a signal's name when one ended it. @throws after `ms` milliseconds, with the output */
  exit(ms?: number): Promise<number | NodeJS.Signals>;
  signal(name: NodeJS.Signals): void;
}

/** A home, ports and processes that nobody else has; `close` kills what is left and removes the home. */
export interface CliWorld {
  readonly home: string;
  readonly controlPlane: string;
  /** @returns a free port of the loopback address */
  port(): Promise<number>;
  /** Starts `weft <args>` in this world. */
  weft(args: readonly string[], options?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }): CliProcess;
  /** Runs `weft <args>` to its end. */
  run(args: readonly string[]): Promise<{ readonly code: number | NodeJS.Signals; readonly text: string }>;
  /** Command lines of everything that was started in this world, directly or not, and still runs. */
  processes(): readonly string[];
  close(): Promise<void>;
}

export async function createCliWorld(): Promise<CliWorld> {
  const home = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  mkdirSync(join(home, 'run'));
  const envoy = (await findEnvoy()).path;
  const controlPlane = `127.0.0.1:${await freePair()}`;
  const env = {
    ...process.env,
    NO_COLOR: '1',
    WEFT_ENVOY: envoy,
    WEFT_HOME: home,
    WEFT_RUNTIME_DIR: join(home, 'run'),
    WEFT_CONTROL_PLANE_ADDRESS: controlPlane,
  };
  const started: ChildProcess[] = [];
  const weft: CliWorld['weft'] = (args, options = {}) => {
    const child = spawn(process.execPath, [WEFT, ...args], {
      cwd: options.cwd ?? home,
      env: { ...env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    return observe(child);
  };
  const run: CliWorld['run'] = async (args) => {
    const cli = weft(args);
    return { code: await cli.exit(), text: cli.text() };
  };
  return {
    home,
    controlPlane,
    port: freePort,
    weft,
    run,
    processes: () => processesWith(home),
    async close() {
      for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
      // What outlives its parent has failed its test; it must not live on beside the next one.
      await withDeadline(untilNone(home), 10_000, `processes of ${home}`).catch(() => {
        for (const line of processesWith(home)) process.kill(Number.parseInt(line, 10), 'SIGKILL');
      });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function observe(child: ChildProcess): CliProcess {
  let text = '';
  const changed: (() => void)[] = [];
  const ended = deferred<number | NodeJS.Signals>();
  const add = (chunk: Buffer) => {
    text += chunk.toString();
    for (const notify of changed.splice(0)) notify();
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  child.once('close', (code, name) => ended.resolve(name ?? code ?? -1));
  const explain = (error: unknown) => {
    throw new Error(`${(error as Error).message}; the output was:\n${text}`);
  };
  const search = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match;
      await Promise.race([
        new Promise<void>((wake) => changed.push(wake)),
        ended.promise.then((code) => {
          if (!pattern.test(text)) throw new Error(`ended with ${code} before ${pattern} was seen`);
        }),
      ]);
    }
  };
  return {
    pid: child.pid as number,
    text: () => text,
    until: (pattern, ms = 30_000) => withDeadline(search(pattern), ms, String(pattern)).catch(explain),
    exit: (ms = 40_000) => withDeadline(ended.promise, ms, 'the end of weft').catch(explain),
    signal: (name) => void child.kill(name),
  };
}

async function untilNone(marker: string): Promise<void> {
  while (processesWith(marker).length > 0) await new Promise((wake) => setTimeout(wake, 50));
}

/** Everything that has `marker` in its environment: children inherit it, however far down. */
function processesWith(marker: string): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(marker)) continue;
      found.push(`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** gRPC and HTTP of a control plane are neighbours. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (await isFree(port + 1)) return port;
  }
}
