/** `npm run bench`: the same load through each subject in turn, in one run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEnvoy } from '../src/agent/envoy/binary.js';
import { messageOf, UsageError } from '../src/errors.js';
import { ensureTools } from './load/tools.js';
import { type BenchOptions, HELP, parseOptions } from './options.js';
import { stopEverything } from './process.js';
import { type ReportRow, reportRows, table } from './report.js';
import { bareEnvoy } from './subjects/bare-envoy.js';
import { daprd } from './subjects/daprd.js';
import { direct } from './subjects/direct.js';
import { weft } from './subjects/weft.js';
import type { RunOptions, Subject } from './types.js';

const say = (text: string) => process.stderr.write(`bench: ${text}\n`);

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(HELP);
  if (process.platform !== 'linux') throw new UsageError('the benchmark reads /proc and runs on Linux only');
  await ensureTools(['wrk', 'h2load']);
  // Short, since Unix sockets are made below it.
  const workDir = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  const tidy = () => {
    if (options.keep) say(`logs are in ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      say('stopping');
      void stopEverything().then(() => {
        tidy();
        process.exit(130);
      });
    });
  try {
    await run(options, workDir);
  } finally {
    tidy();
  }
}

async function run(options: BenchOptions, workDir: string): Promise<void> {
  const subjects = await chooseSubjects(options, workDir);
  const { seconds, rounds, connections, json } = options;
  const runOptions: RunOptions = { seconds, rounds, connections, workDir, say };
  say(
    `${cpus().length} CPUs, ${connections} connections, ${rounds} rounds of ${seconds} s: ${subjects.map(({ name }) => name).join(', ')}`,
  );
  const lines: ReportRow[] = [];
  for (const row of options.rows) {
    say(`${row.name}: ${row.about}`);
    const fresh = reportRows(row.name, await row.run(subjects, runOptions));
    lines.push(...fresh);
    if (json) process.stdout.write(fresh.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  if (!json) process.stdout.write(`\n${table(lines)}\n`);
  if (lines.length === 0) throw new UsageError('no row gave a figure, see above');
}

async function chooseSubjects(options: BenchOptions, workDir: string): Promise<readonly Subject[]> {
  const { path: envoy } = await findEnvoy();
  const ours = { envoy, command: options.weft, without: options.without, workDir };
  const { placement, sentry } = options;
  const all: readonly Subject[] = [
    direct(workDir),
    bareEnvoy(envoy, workDir),
    weft({ door: 'envoy', ...ours }),
    weft({ door: 'service', ...ours }),
    ...(options.daprd ? [daprd({ daprd: options.daprd, placement, sentry, workDir })] : []),
  ];
  return all.filter(({ name }) => options.subjects?.includes(name) ?? true);
}

main().then(
  () => process.exit(process.exitCode ?? 0),
  (error: unknown) => {
    process.stderr.write(
      error instanceof UsageError
        ? `bench: ${error.message}\n`
        : `bench: ${error instanceof Error ? error.stack : messageOf(error)}\n`,
    );
    process.exit(1);
  },
);
