import { spawn, spawnSync } from 'node:child_process';
import { UsageError } from '../../src/errors.js';
import { spawnGuarded } from '../../src/lib/guard.js';

const packages: Readonly<Record<string, string>> = { wrk: 'wrk', h2load: 'nghttp2-client' };

const present = (tool: string) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined;

/** Makes sure that the load generators are there. @throws UsageError with the one command that installs them */
export async function ensureTools(tools: readonly string[]): Promise<void> {
  const missing = tools.filter((tool) => !present(tool)).map((tool) => packages[tool] ?? tool);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  const canInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!canInstall) throw new UsageError(`the benchmark's load generators are missing, install them with: sudo ${command}`);
  process.stderr.write(`bench: installing ${missing.join(', ')} …\n`);
  await run('apt-get', ['update', '-qq']);
  if (!(await run('apt-get', command.split(' ').slice(1))))
    throw new UsageError(`could not install ${missing.join(', ')}: ${command} failed`);
}

function run(command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}

/** Runs a load generator. @returns what it wrote to stdout @throws Error when it fails or does not end within `deadlineMs` */
export function runTool(command: string, args: readonly string[], deadlineMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const { child, signal } = spawnGuarded(command, args, { stdio: ['ignore', 'pipe', 'pipe'], group: true });
    let out = '';
    let err = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    const timer = setTimeout(() => {
      signal('SIGKILL');
      reject(new Error(`${command} did not end within ${deadlineMs} ms`));
    }, deadlineMs);
    child.on('error', reject);
    child.on('exit', () => clearTimeout(timer));
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${command} failed (${code}): ${err || out}`))));
  });
}
