// `npm test`: lint, types, then the four rings. Output streams; the last line is the sum. `-- --only unit` runs one part of it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name) => join(root, 'node_modules/.bin', name);
const work = mkdtempSync(join(tmpdir(), 'weft-test-'));
const sum = { passed: 0, failed: 0, skipped: [] };

function heading(text) {
  process.stdout.write(`\n── ${text}\n`);
}

/** A check that passes or fails as a whole counts as one test. */
function check(name, command, args) {
  heading(name);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) sum.passed += 1;
  else sum.failed += 1;
}

/** One ring in a process of its own, so that real processes do not share the cores with unit tests. */
function ring(name, files) {
  heading(name);
  const report = join(work, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync(bin('vitest'), ['run', '--project', name, ...reporters, ...files], {
    cwd: root,
    stdio: 'inherit',
  });
  const failedBefore = sum.failed;
  for (const file of readReport(report)) {
    for (const { status: state, fullName } of file.assertionResults) {
      if (state === 'passed') sum.passed += 1;
      else if (state === 'failed') sum.failed += 1;
      else sum.skipped.push(`${name}: ${fullName}`);
    }
    // A file that could not be loaded has no tests, yet it has failed.
    if (file.status === 'failed' && !file.assertionResults.some(({ status: state }) => state === 'failed')) sum.failed += 1;
  }
  // A crash, or an error outside of every test.
  if (status !== 0 && sum.failed === failedBefore) sum.failed += 1;
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults;
  } catch {
    return [];
  }
}

const parts = {
  lint: () => {
    check('lint', bin('biome'), ['check', '.']);
    check('import arrows', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'src']);
  },
  types: () => check('types', bin('tsc'), []),
  unit: (files) => ring('unit', files),
  golden: (files) => ring('golden', files),
  conformance: (files) => ring('conformance', files),
  integration: (files) => ring('integration', files),
};

const words = process.argv.slice(2);
const only = words.flatMap((word, index) => (words[index - 1] === '--only' ? word.split(',') : []));
const files = words.filter((word, index) => word !== '--only' && words[index - 1] !== '--only');
const wrong = only.find((name) => !(name in parts)) ?? files.find((word) => word.startsWith('-'));
if (wrong !== undefined) {
  process.stderr.write(
    `test: unknown ${wrong}; --only takes ${Object.keys(parts).join(', ')}, further words choose test files\n`,
  );
  process.exit(1);
}
for (const [name, run] of Object.entries(parts)) if (only.length === 0 || only.includes(name)) run(files);
rmSync(work, { recursive: true, force: true });

if (sum.skipped.length > 0) process.stdout.write(`\nskipped:\n${sum.skipped.map((name) => `  ${name}\n`).join('')}`);
const skipped = sum.skipped.length > 0 ? `, ${sum.skipped.length} skipped` : '';
process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed${skipped}\n`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
