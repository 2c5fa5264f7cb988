import type { Component, RefusedDocument, ResourceSet } from '../mesh-model.js';
import { type Entry, type Outcome, type Refused, readDocument } from './document.js';
import { expandEnv, readDirectory, readSource, type SourceFile } from './files.js';
import { kinds } from './kinds/index.js';
import { parseDocuments } from './yaml.js';

export interface ResourcePaths {
  /** Directories with Dapr's resource files. */
  readonly resourcesPaths: readonly string[];
  /** Configuration files, later ones winning. */
  readonly configPaths: readonly string[];
}

export interface LoadedResources {
  readonly set: ResourceSet;
  /** One line each: `<file> document <n>: <field>: <what>; <remedy>`. */
  readonly problems: string[];
  /** The documents that the problems are about. */
  readonly refused: readonly RefusedDocument[];
}

/**
 * Reads all resources. A bad one is left out, or stays as it is in `previous`; everything else is loaded. Never throws for what stands in
 * the files or for files that are missing.
 * @param env for the variables in Configuration files
 */
export async function loadResourceSet(
  paths: ResourcePaths,
  previous?: ResourceSet,
  env: NodeJS.ProcessEnv = process.env,
): Promise<LoadedResources> {
  const directories = await Promise.all(paths.resourcesPaths.map(readDirectory));
  const configs = paths.configPaths.map((path) => readSource(path, 'check --config'));
  const expanded = configs.map((file) => ({ ...file, text: file.text && expandEnv(file.text, env) }));
  const read = fileReader(previous);
  const outcomes = [
    ...directories.flat().flatMap((file) => read.outcomes(file)),
    ...expanded.flatMap((file) => read.outcomes(file).map(onlyConfiguration)),
  ];
  const { entries, refused } = sortOut(outcomes);
  const kept = previous ? refused.flatMap((it) => stillGood(it, previous, entries)) : [];
  const set = toSet(inLayerOrder([...entries, ...kept], paths.configPaths));
  readFor.set(set, read.all);
  return {
    set,
    problems: refused.flatMap(({ source, problems }) => problems.map((problem) => `${source}: ${problem}`)),
    refused: refused.map(({ source, kind }) => ({ source, kind: kind !== undefined && kind in kinds ? kind : 'unknown' })),
  };
}

/** What a file's text says. */
interface ReadFile {
  readonly text: string;
  readonly outcomes: readonly Outcome[];
}

/** By path, what a set was made of: a change of one file reads the others' documents no second time. */
const readFor = new WeakMap<ResourceSet, ReadonlyMap<string, ReadFile>>();

function fileReader(previous?: ResourceSet) {
  const before = previous && readFor.get(previous);
  const all = new Map<string, ReadFile>();
  return {
    all,
    outcomes({ path, text = '', problem }: SourceFile): readonly Outcome[] {
      if (problem) return [{ refused: { source: path, problems: [problem] } }];
      const known = before?.get(path);
      const read = known?.text === text ? known : { text, outcomes: readText(path, text) };
      all.set(path, read);
      return read.outcomes;
    },
  };
}

function readText(path: string, text: string): Outcome[] {
  return parseDocuments(text).map(({ number, value, problem: broken }) => {
    const source = `${path} document ${number}`;
    return broken ? { refused: { source, problems: [broken] } } : readDocument(value, source);
  });
}

function onlyConfiguration(outcome: Outcome): Outcome {
  if (!outcome || !('entry' in outcome) || outcome.entry.of === 'configuration') return outcome;
  const { source, kind } = outcome.entry;
  return {
    refused: { source, problems: [`kind: expected Configuration, got ${kind}; put it into a --resources-path directory`] },
  };
}

/** The first of two resources with one name stays in force, since it was there first. */
function sortOut(outcomes: readonly Outcome[]): { entries: Entry[]; refused: Refused[] } {
  const byId = new Map<string, Entry>();
  const refused: Refused[] = [];
  for (const outcome of outcomes) {
    if (!outcome) continue;
    if ('refused' in outcome) refused.push(outcome.refused);
    else {
      const { entry } = outcome;
      const first = byId.get(idOf(entry));
      // The same document again: its directory is a --resources-path, and it is a --config. It counts where it stands last.
      if (first?.source === entry.source) byId.delete(idOf(entry));
      if (!first || first.source === entry.source) byId.set(idOf(entry), entry);
      else {
        const problem = `metadata.name: ${entry.kind} ${entry.name} is already defined in ${first.source}; rename or remove one`;
        refused.push({
          source: entry.source,
          kind: entry.kind,
          name: entry.name,
          namespace: entry.namespace,
          problems: [problem],
        });
      }
    }
  }
  return { entries: [...byId.values()], refused };
}

/** Configurations are layers, told apart by where they stand: Dapr writes the name `daprConfig` into every example. */
const idOf = ({ kind, namespace, name, source }: Pick<Entry, 'kind' | 'namespace' | 'name' | 'source'>) =>
  kind === 'Configuration' ? `${kind}|${source}` : `${kind}|${namespace}|${name}`;

/** @returns what `previous` has of the refused resource: by its name, or by its place when it does not tell its name */
function stillGood(refused: Refused, previous: ResourceSet, entries: readonly Entry[]): Entry[] {
  const present = new Set(entries.map(idOf));
  const { source, kind, name, namespace = '' } = refused;
  const isIt = (entry: Entry) =>
    kind && name && kind !== 'Configuration'
      ? entry.kind === kind && entry.name === name && entry.namespace === namespace
      : entry.source === source || entry.source.startsWith(`${source} document `) || isBelow(entry.source, source);
  return entriesOf(previous).filter((entry) => isIt(entry) && !present.has(idOf(entry)));
}

/** What was kept must not move behind the layers that it stands under. */
function inLayerOrder(entries: readonly Entry[], configPaths: readonly string[]): Entry[] {
  const layerOf = ({ source }: Entry) => configPaths.findIndex((path) => source.startsWith(`${path} document `));
  return [...entries].sort((a, b) => layerOf(a) - layerOf(b));
}

/** A directory that cannot be read says nothing about what was in it. */
const isBelow = (source: string, directory: string) => source.startsWith(`${directory.replace(/\/$/, '')}/`);

function entriesOf(set: ResourceSet): Entry[] {
  return [
    ...set.components.map((value): Entry => ({ ...idFields('Component', value), of: 'component', value })),
    ...set.subscriptions.map((value): Entry => ({ ...idFields('Subscription', value), of: 'subscription', value })),
    ...set.configurations.map(
      (value): Entry => ({ ...idFields('Configuration', { ...value, namespace: '' }), of: 'configuration', value }),
    ),
    ...set.policies.map((value): Entry => ({ ...idFields(value.kind, value), of: 'policy', value })),
  ];
}

const idFields = (kind: string, { name, namespace, source }: { name: string; namespace: string; source: string }) => ({
  kind,
  name,
  namespace,
  source,
});

const toSet = (entries: readonly Entry[]): ResourceSet => ({
  components: entries.flatMap((entry) => (entry.of === 'component' ? [entry.value] : [])),
  subscriptions: entries.flatMap((entry) => (entry.of === 'subscription' ? [entry.value] : [])),
  configurations: entries.flatMap((entry) => (entry.of === 'configuration' ? [entry.value] : [])),
  policies: entries.flatMap((entry) => (entry.of === 'policy' ? [entry.value] : [])),
});

/** @returns what is there with nothing to install and nothing written: a state store that actors can use, and a broker */
export function embeddedDefaults(): ResourceSet {
  return {
    components: [builtIn('statestore', 'state.sqlite', { actorStateStore: 'true' }), builtIn('pubsub', 'pubsub.sqlite')],
    subscriptions: [],
    configurations: [],
    policies: [],
  };
}

const builtIn = (name: string, type: string, metadata: Readonly<Record<string, string>> = {}): Component => ({
  name,
  namespace: '',
  type,
  version: 'v1',
  metadata: Object.entries(metadata).map(([key, value]) => ({ name: key, from: { $case: 'value', value } })),
  ignoreErrors: false,
  initTimeoutMs: 5000,
  scopes: [],
  secretStore: '',
  source: 'built in',
});
