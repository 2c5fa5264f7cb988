import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { FAILSAFE_SCHEMA, load, YAMLException } from 'js-yaml';
import { UsageError } from '../../errors.js';
import { APP_ID_PATTERN } from '../../model/instance.js';
import { didYouMean } from '../suggest.js';
import { type AppFields, type FieldName, fieldNames, readField, rowOf } from './fields.js';
import { type AppPlan, planApp, type RunPlan } from './plan.js';

const FILE_NAMES = ['weft.yaml', 'dapr.yaml'] as const;

/**
 * Reads a multi-app run file: Dapr's format, field by field. Relative paths start at the file's directory under `common` and
 * for `appDirPath`, and at `appDirPath` for everything else of an app, as they do in Dapr.
 * @param path the file, or a directory that holds `weft.yaml` or `dapr.yaml`
 * @throws UsageError, one line that names file and field
 */
export function readRunFile(path: string): RunPlan {
  const file = findFile(path);
  const document = openDocument(basename(file), dirname(resolve(file)));
  const root = document.parse(readFileSync(file, 'utf8'));
  document.keys(root.value, ['version', 'name', 'common', 'apps'], '');
  if (root.value.version === undefined) document.fail('version', 'is required; write `version: 1`');
  if (root.value.version !== 1) document.fail('version', `expected 1, got ${JSON.stringify(root.value.version)}`);
  const common = document.fields({ node: root, key: 'common', at: 'common' }, (name) => rowOf(name).shared);
  const apps = root.value.apps;
  if (!Array.isArray(apps) || apps.length === 0) document.fail('apps', 'expected a list with at least one app');
  const plans = (apps as unknown[]).map((_, index) => readApp(document, root, { index, common }));
  const seen = new Map<string, string>();
  for (const { appId, place } of plans) {
    const earlier = seen.get(appId);
    if (earlier) throw new UsageError(`${place}.appID: "${appId}" is taken by ${earlier}; app ids are unique in a run file`);
    seen.set(appId, place.replace(`${document.name}: `, ''));
  }
  return { runFile: resolve(file), apps: plans, notes: document.notes };
}

function findFile(path: string): string {
  if (!existsSync(path)) throw new UsageError(`-f ${path}: no such file or directory`);
  if (!statSync(path).isDirectory()) return path;
  const name = FILE_NAMES.find((candidate) => existsSync(join(path, candidate)));
  if (!name) throw new UsageError(`-f ${path}: the directory holds neither ${FILE_NAMES.join(' nor ')}`);
  return join(path, name);
}

interface AppContext {
  readonly index: number;
  readonly common: AppFields;
}

function readApp(document: Document, root: Parsed, { index, common }: AppContext): AppPlan {
  const at = `apps[${index}]`;
  const own = document.fields({ node: child(root, 'apps'), key: index, at }, () => true);
  if (own.appDirPath === undefined) document.fail(`${at}.appDirPath`, 'is required: the directory that the app runs in');
  const directory = document.path(document.directory, own.appDirPath as string, `${at}.appDirPath`);
  const appId = own.appID ?? basename(directory);
  if (!APP_ID_PATTERN.test(appId))
    document.fail(`${at}.appID`, `is required: the directory's name "${appId}" cannot serve as one`);
  const from = (base: string, fields: AppFields, where: string) => ({
    configFilePath: fields.configFilePath && document.path(base, fields.configFilePath, `${where}.configFilePath`),
    resourcesPaths: resourcesOf(document, base, fields, where),
  });
  const inherited = from(document.directory, common, 'common');
  const given = from(directory, own, at);
  const merged: AppFields = {
    ...common,
    ...own,
    env: { ...common.env, ...own.env },
    // Dapr's order: the app's own, then what lies in its directory, then `common`, then the defaults.
    resourcesPaths: given.resourcesPaths ?? conventional(directory, 'resources', true) ?? inherited.resourcesPaths,
    configFilePath: given.configFilePath ?? conventional(directory, 'config.yaml')?.[0] ?? inherited.configFilePath,
  };
  return planApp(merged, { appId, place: `${document.name}: ${at}`, directory, sidecarLog: 'file' });
}

function resourcesOf(document: Document, base: string, fields: AppFields, where: string): readonly string[] | undefined {
  const paths = (fields.resourcesPaths ?? []).map((path, index) =>
    document.path(base, path, `${where}.resourcesPaths[${index}]`),
  );
  if (fields.resourcesPath !== undefined) paths.push(document.path(base, fields.resourcesPath, `${where}.resourcesPath`));
  return paths.length > 0 ? paths : undefined;
}

function conventional(directory: string, name: string, wantsDirectory = false): readonly string[] | undefined {
  const found = ['.weft', '.dapr'].map((dot) => join(directory, dot, name)).find((path) => existsSync(path));
  return found !== undefined && statSync(found).isDirectory() === wantsDirectory ? [found] : undefined;
}

/** A node of the file twice: with YAML's types, and with every scalar as the text that was written (for `env`). */
interface Parsed {
  readonly value: Readonly<Record<string, unknown>>;
  readonly text: Readonly<Record<string, unknown>>;
}

const child = (node: Parsed, key: string): Parsed => ({ value: node.value[key], text: node.text[key] }) as Parsed;

interface Place {
  readonly node: Parsed;
  readonly key: string | number;
  /** Path of the field for messages. */
  readonly at: string;
}

/** Reads parts of one file and says, in one line, where something is wrong. */
interface Document {
  readonly name: string;
  readonly directory: string;
  readonly notes: readonly string[];
  fail(field: string, problem: string): never;
  parse(source: string): Parsed;
  keys(value: object, known: readonly string[], at: string): void;
  /** Reads one map of fields; an absent `common` is empty. */
  fields(place: Place, allowed: (name: FieldName) => boolean): AppFields;
  /** @returns the absolute form of `path`, which must exist */
  path(base: string, path: string, at: string): string;
}

function openDocument(name: string, directory: string): Document {
  const notes: string[] = [];
  const fail = (field: string, problem: string): never => {
    throw new UsageError(`${name}: ${field}: ${problem}`);
  };
  const keys = (value: object, known: readonly string[], at: string) => {
    for (const key of Object.keys(value))
      if (!known.includes(key)) fail(at === '' ? key : `${at}.${key}`, `unknown field${didYouMean(key, known)}`);
  };
  const env = (written: unknown, at: string) => {
    const pairs = Object.entries(written as object).map(([key, value]: [string, unknown]) => {
      if (value !== null && typeof value !== 'string') fail(`${at}.${key}`, `expected text, got ${JSON.stringify(value)}`);
      return [key, value ?? ''];
    });
    return Object.fromEntries(pairs);
  };
  const field = ({ node, key, at }: Place, fieldName: FieldName, given: unknown) => {
    const row = rowOf(fieldName);
    const read = readField(row.type, given);
    if ('problem' in read) return fail(`${at}.${fieldName}`, read.problem);
    if (row.effect === 'none') notes.push(`${name}: ${at}.${fieldName} has no effect with Weft`);
    if (row.type !== 'env') return read.value;
    return env((node.text as Record<string | number, Record<string, unknown>>)[key]?.[fieldName], `${at}.${fieldName}`);
  };
  const fields = (place: Place, allowed: (name: FieldName) => boolean) => {
    const value = (place.node.value as Record<string | number, unknown>)[place.key];
    if (value === undefined || (value === null && place.key === 'common')) return {};
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      return fail(place.at, `expected a map, got ${JSON.stringify(value)}`);
    keys(value, fieldNames.filter(allowed), place.at);
    const given = Object.entries(value).filter(([, one]) => one !== null) as [FieldName, unknown][];
    return Object.fromEntries(given.map(([fieldName, one]) => [fieldName, field(place, fieldName, one)])) as AppFields;
  };
  const path = (base: string, written: string, at: string) => {
    const full = resolve(base, written.replace(/^~(?=\/|$)/, homedir()));
    return existsSync(full) ? full : fail(at, `${written}: no such file or directory (looked for ${full})`);
  };
  return { name, directory, notes, fail, parse: (source) => parseYaml(name, source), keys, fields, path };
}

function parseYaml(name: string, source: string): Parsed {
  try {
    const value = load(source);
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new UsageError(`${name}: expected a map with version and apps`);
    return { value, text: load(source, { schema: FAILSAFE_SCHEMA }) } as Parsed;
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line = 0, column = 0 } = error.mark ?? {};
    throw new UsageError(`${name}:${line + 1}:${column + 1}: ${error.reason}`);
  }
}
