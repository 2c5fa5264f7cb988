import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.js';
import type { RefusedDocument, ResourceSet } from '../model/mesh-model.js';
import type { Logger } from '../telemetry/logger.js';
import { debounce } from './debounce.js';
import { watchForEmptied } from './half-written.js';
import { signatureOf, watchPaths } from './watch-paths.js';

/** Where a resource set is read from; absolute paths. */
export interface ResourcePaths {
  readonly resourcesPaths: readonly string[];
  readonly configPaths: readonly string[];
}

/** Reads one set. What is wrong in it stays as it is in `previous`. */
export type ResourceLoader = (
  paths: { readonly resourcesPaths: string[]; readonly configPaths: string[] },
  previous?: ResourceSet,
) => Promise<{ readonly set: ResourceSet; readonly problems: readonly string[]; readonly refused?: readonly RefusedDocument[] }>;

export interface ResourceCatalogDeps {
  readonly load: ResourceLoader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after a set has changed. */
  readonly onChange: () => void;
}

export interface ResourceCatalogOptions {
  /** For instances that bring no paths of their own. */
  readonly defaults: ResourcePaths;
  /** Components and subscriptions of a set without any directory. */
  readonly embedded: ResourceSet;
}

/** Sets of resources by the paths that they come from, read again whenever their files change. */
export interface ResourceCatalog {
  /** Loads the set and keeps it until as many releases. @returns what is wrong with it now */
  acquire(paths: ResourcePaths): Promise<readonly string[]>;
  release(paths: ResourcePaths): void;
  /** @returns the last good state of the set; the embedded one when it was never acquired */
  setFor(paths: ResourcePaths): ResourceSet;
  /** @returns all that is wrong, each line once */
  problems(): readonly string[];
  /** @returns the documents that are refused now, each once */
  refused(): readonly RefusedDocument[];
  close(): void;
}

interface Entry {
  users: number;
  set: ResourceSet;
  problems: readonly string[];
  refused: readonly RefusedDocument[];
  /** Settles after the first load. */
  loaded: Promise<void>;
  close(): void;
}

// A changed route is to be in force everywhere within 100 ms, and most of that is for the proxies.
const QUIET = { quietMs: 5, maxMs: 200 } as const;
const EMPTIED_MS = 150;
/** Who never stops writing is read all the same. */
const MOST_READS = 5;

export function createResourceCatalog(options: ResourceCatalogOptions, deps: ResourceCatalogDeps): ResourceCatalog {
  const entries = new Map<string, Entry>();
  const effective = (paths: ResourcePaths): ResourcePaths => ({
    resourcesPaths: paths.resourcesPaths.length > 0 ? paths.resourcesPaths : options.defaults.resourcesPaths,
    configPaths: paths.configPaths.length > 0 ? paths.configPaths : options.defaults.configPaths,
  });
  const keyOf = (paths: ResourcePaths) => JSON.stringify([paths.resourcesPaths, paths.configPaths]);

  return {
    async acquire(asked) {
      const paths = effective(asked);
      const key = keyOf(paths);
      const entry = entries.get(key) ?? openEntry(paths, options.embedded, deps);
      entries.set(key, entry);
      entry.users += 1;
      await entry.loaded;
      return entry.problems;
    },
    release(asked) {
      const key = keyOf(effective(asked));
      const entry = entries.get(key);
      if (!entry) return;
      entry.users -= 1;
      if (entry.users > 0) return;
      entry.close();
      entries.delete(key);
    },
    setFor: (asked) => entries.get(keyOf(effective(asked)))?.set ?? options.embedded,
    problems: () => [...new Set([...entries.values()].flatMap(({ problems }) => problems))],
    refused: () => [
      ...new Map([...entries.values()].flatMap(({ refused }) => refused).map((it) => [`${it.kind} ${it.source}`, it])).values(),
    ],
    close() {
      for (const entry of entries.values()) entry.close();
      entries.clear();
    },
  };
}

function openEntry(paths: ResourcePaths, embedded: ResourceSet, deps: ResourceCatalogDeps): Entry {
  const { load, logger, clock, onChange } = deps;
  const wanted = { resourcesPaths: [...paths.resourcesPaths], configPaths: [...paths.configPaths] };
  const watched = [...wanted.resourcesPaths, ...wanted.configPaths];
  const hasDirectory = wanted.resourcesPaths.length > 0;
  let previous: ResourceSet | undefined;
  let work: Promise<void> = Promise.resolve();
  let closed = false;

  /** As all files were at one moment: a Configuration that is read after its components were written must not meet those before them. */
  const loadAtOnce = async () => {
    for (let reads = 1; ; reads += 1) {
      const before = signatureOf(watched);
      const loaded = await load(wanted, previous);
      if (closed || reads === MOST_READS || signatureOf(watched) === before) return loaded;
    }
  };
  const read = async () => {
    const { set, problems, refused = [] } = await loadAtOnce();
    if (closed) return;
    // What the watch has brought, the poll finds once more. The same set as an object is no reason to translate anything again.
    if (isDeepStrictEqual({ set, problems }, { set: previous, problems: entry.problems })) return;
    previous = set;
    entry.set = hasDirectory ? set : { ...embedded, configurations: set.configurations };
    for (const problem of problems) if (!entry.problems.includes(problem)) logger.error('resource refused', { problem });
    entry.problems = problems;
    entry.refused = refused;
    onChange();
  };
  // One read after the other: an older one must not overtake a newer one.
  const reload = () => {
    work = work.then(read).catch((error: unknown) => {
      entry.problems = [`${watched.join(', ')}: ${String(error)}`];
      logger.error('resources could not be read', { problem: entry.problems[0] });
    });
    return work;
  };
  const someEmptied = watchForEmptied(watched);
  let cancelLater = () => {};
  const reloads = debounce(
    () => {
      cancelLater();
      if (someEmptied()) cancelLater = clock.after(EMPTIED_MS, reloads.trigger);
      else void reload();
    },
    QUIET,
    clock,
  );
  const stopWatching = watchPaths(watched, reloads.trigger, clock);
  const entry: Entry = {
    users: 0,
    set: embedded,
    problems: [],
    refused: [],
    loaded: Promise.resolve(),
    close() {
      closed = true;
      cancelLater();
      reloads.close();
      stopWatching();
    },
  };
  entry.loaded = reload();
  return entry;
}
