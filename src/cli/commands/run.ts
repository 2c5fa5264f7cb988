import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../../errors.js';
import { APP_ID_PATTERN } from '../../model/instance.js';
import { controlPlaneOption, listArgument, parseControlPlaneAddress, withExamples } from '../args.js';
import { type AppFields, type FieldRow, fieldNames, readField, rowOf } from '../run/fields.js';
import { runUntilEnd } from '../run/foreground.js';
import { planApp, type RunPlan } from '../run/plan.js';
import { readRunFile } from '../run/run-file.js';
import { readySummary } from '../run/summary.js';
import { processTerminal } from '../terminal.js';

type Flags = Readonly<Record<string, unknown>> & { readonly controlPlaneAddress: string; readonly runFile?: string };

export function define(command: Command): void {
  command
    .usage('[flags] -- <command…>   |   -f <run file>')
    .argument('[command...]', 'what starts your app; without it only a sidecar runs')
    .passThroughOptions()
    .option('-f, --run-file <path>', 'run every app of a run file, or of weft.yaml or dapr.yaml in a directory');
  for (const name of fieldNames) {
    const row = rowOf(name);
    if (row.flag) command.addOption(fieldOption(row, row.flag));
  }
  command.addOption(controlPlaneOption()).action(run);
  withExamples(command, [
    ['Run an app with its sidecar', 'weft run --app-id orders --app-port 6001 -- python3 app.py'],
    ['Run every app of a run file (the format of `dapr run -f`)', 'weft run -f weft.yaml'],
    ['Only a sidecar, for an app that you start yourself', 'weft run --app-id orders --app-port 6001 --dapr-http-port 3500'],
  ]);
}

/** The flag of a run-file field, checked by the same rule. */
function fieldOption({ type, short, help = '' }: FieldRow, name: string): Option {
  const dash = short ? `-${short}, ` : '';
  if (type === 'switch') return new Option(`${dash}--${name}`, help);
  const option = new Option(`${dash}--${name} <${type === 'paths' ? 'path' : 'value'}>`, help);
  if (type === 'paths') return option.argParser(listArgument);
  const numeric = type === 'port' || type === 'count';
  return option.argParser((text: string) => {
    const read = readField(type, numeric && /^-?\d+$/.test(text) ? Number(text) : text);
    if ('problem' in read) throw new InvalidArgumentError(`${read.problem.replace(/^e/, 'E')}.`);
    return read.value;
  });
}

async function run(words: readonly string[], flags: Flags): Promise<void> {
  const terminal = processTerminal();
  const plan = flags.runFile ? planFromFile(words, flags) : planFromFlags(words, flags);
  process.exitCode = await runUntilEnd({
    plan,
    controlPlane: parseControlPlaneAddress(flags.controlPlaneAddress),
    terminal,
    env: process.env,
    onReady: (ready) => terminal.line(`${readySummary(ready, terminal.paint)}\nCtrl-C stops everything.`),
  });
}

const camel = (flag: string) => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function planFromFile(words: readonly string[], flags: Flags): RunPlan {
  const given = fieldNames
    .map((name) => rowOf(name).flag)
    .filter((flag) => flag !== undefined && flags[camel(flag)] !== undefined);
  if (given.length > 0) throw new UsageError(`--${given[0]} cannot stand beside -f; write it into the run file`);
  if (words.length > 0)
    throw new UsageError(`the command \`${words.join(' ')}\` cannot stand beside -f; write it into the run file`);
  return readRunFile(flags.runFile as string);
}

/** @returns the plan of `weft run --app-id … -- command`; paths start at the current directory */
function planFromFlags(words: readonly string[], flags: Flags): RunPlan {
  const directory = process.cwd();
  const given = fieldNames.flatMap((name) => {
    const { flag, type } = rowOf(name);
    const value = flag && flags[camel(flag)];
    if (value === undefined || value === '') return [];
    if (type === 'path') return [[name, existing(directory, value as string, `--${flag}`)]];
    if (type === 'paths') return [[name, (value as string[]).map((path) => existing(directory, path, `--${flag}`))]];
    return [[name, value]];
  });
  const fields = { ...Object.fromEntries(given), command: words } as AppFields;
  const appId = fields.appID ?? basename(directory);
  if (!APP_ID_PATTERN.test(appId))
    throw new UsageError(`run: --app-id is required: the directory's name "${appId}" cannot serve as one`);
  const app = planApp(fields, { appId, place: 'weft run', directory, sidecarLog: 'fileAndConsole' });
  return { apps: [app], notes: [] };
}

function existing(directory: string, path: string, flag: string): string {
  const full = resolve(directory, path);
  if (!existsSync(full)) throw new UsageError(`${flag} ${path}: no such file or directory`);
  return full;
}
