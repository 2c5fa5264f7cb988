import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createResourceCatalog, type ResourceCatalog, type ResourceLoader } from '../../../src/control/resource-catalog.js';
import { Component } from '../../../src/gen/weft/config/v1/config.js';
import { systemClock } from '../../../src/lib/clock.js';
import type { ResourceSet } from '../../../src/model/mesh-model.js';
import { silentLogger } from '../../../src/telemetry/logger.js';

const setOf = (...names: string[]): ResourceSet => ({
  components: names.map((name) => Component.fromPartial({ name })),
  subscriptions: [],
  configurations: [],
  policies: [],
});

/** A file is a component; one that says `bad` keeps its place in the set as it was. */
const load: ResourceLoader = async ({ resourcesPaths }, previous) => {
  loads += 1;
  const names: string[] = [];
  const problems: string[] = [];
  for (const directory of resourcesPaths)
    for (const file of readdirSync(directory).sort()) {
      const bad = readFileSync(join(directory, file), 'utf8') === 'bad';
      if (bad) problems.push(`${file}: bad`);
      if (!bad || previous?.components.some(({ name }) => name === file)) names.push(file);
    }
  return { set: setOf(...names), problems };
};

let directory: string;
let catalog: ResourceCatalog;
let changes: number;
let loads: number;
const none = { resourcesPaths: [], configPaths: [] };
const namesOf = (paths: { resourcesPaths: string[]; configPaths: string[] }) =>
  catalog.setFor(paths).components.map(({ name }) => name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-catalog-'));
  changes = 0;
  loads = 0;
  catalog = createResourceCatalog(
    { defaults: none, embedded: setOf('embedded') },
    { load, clock: systemClock, logger: silentLogger, onChange: () => void changes++ },
  );
});
afterEach(() => {
  catalog.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('the resource catalog', () => {
  it('gives the embedded set to whoever brings no directory', async () => {
    expect(await catalog.acquire(none)).toEqual([]);
    expect(namesOf(none)).toEqual(['embedded']);
  });

  it('reads a directory and reads it again when a file comes, changes or goes', async () => {
    writeFileSync(join(directory, 'a'), 'good');
    const paths = { resourcesPaths: [directory], configPaths: [] };
    await catalog.acquire(paths);
    expect(namesOf(paths)).toEqual(['a']);
    writeFileSync(join(directory, 'b'), 'good');
    await expect.poll(() => namesOf(paths), { timeout: 5_000 }).toEqual(['a', 'b']);
    rmSync(join(directory, 'a'));
    await expect.poll(() => namesOf(paths), { timeout: 5_000 }).toEqual(['b']);
  });

  it('calls nothing changed that says the same as before', async () => {
    writeFileSync(join(directory, 'a'), 'good');
    const paths = { resourcesPaths: [directory], configPaths: [] };
    await catalog.acquire(paths);
    const set = catalog.setFor(paths);
    writeFileSync(join(directory, 'a'), 'good');
    await expect.poll(() => loads, { timeout: 5_000 }).toBeGreaterThan(1);
    expect(changes).toBe(1);
    expect(catalog.setFor(paths)).toBe(set);
  });

  it('keeps the last good version of a file that turns bad, and says what is wrong until it is right', async () => {
    writeFileSync(join(directory, 'a'), 'good');
    const paths = { resourcesPaths: [directory], configPaths: [] };
    await catalog.acquire(paths);
    writeFileSync(join(directory, 'a'), 'bad');
    await expect.poll(() => catalog.problems(), { timeout: 5_000 }).toEqual(['a: bad']);
    expect(namesOf(paths)).toEqual(['a']);
    writeFileSync(join(directory, 'a'), 'good');
    await expect.poll(() => catalog.problems(), { timeout: 5_000 }).toEqual([]);
  });

  it('notices a directory that is replaced as a whole', async () => {
    const [inner, next] = [join(directory, 'now'), join(directory, 'next')];
    for (const [path, file] of [
      [inner, 'a'],
      [next, 'b'],
    ] as const) {
      mkdirSync(path);
      writeFileSync(join(path, file), 'good');
    }
    const paths = { resourcesPaths: [inner], configPaths: [] };
    await catalog.acquire(paths);
    renameSync(inner, join(directory, 'old'));
    renameSync(next, inner);
    await expect.poll(() => namesOf(paths), { timeout: 5_000 }).toEqual(['b']);
  });

  it('takes no Configuration together with components from before it, though both are written while they are read', async () => {
    const [resources, config] = [join(directory, 'resources'), join(directory, 'config')];
    mkdirSync(resources);
    writeFileSync(config, 'old');
    const paths = { resourcesPaths: [resources], configPaths: [config] };
    const seen: string[] = [];
    let meanwhile = () => {};
    const slow = createResourceCatalog(
      { defaults: none, embedded: setOf() },
      {
        async load(wanted) {
          const components = readdirSync(wanted.resourcesPaths[0] ?? '');
          meanwhile();
          return { set: setOf(...components, readFileSync(wanted.configPaths[0] ?? '', 'utf8')), problems: [] };
        },
        clock: systemClock,
        logger: silentLogger,
        onChange: () =>
          void seen.push(
            slow
              .setFor(paths)
              .components.map(({ name }) => name)
              .join(),
          ),
      },
    );
    await slow.acquire(paths);
    meanwhile = () => {
      writeFileSync(join(resources, 'limit'), 'good');
      writeFileSync(config, 'with limit');
      meanwhile = () => {};
    };
    writeFileSync(config, 'other');
    await expect.poll(() => seen.at(-1), { timeout: 5_000 }).toBe('limit,with limit');
    slow.close();
    expect(seen).not.toContain('with limit');
  });

  it('tells the first who asks what is wrong', async () => {
    writeFileSync(join(directory, 'a'), 'bad');
    expect(await catalog.acquire({ resourcesPaths: [directory], configPaths: [] })).toEqual(['a: bad']);
  });

  it('forgets a set when its last user releases it', async () => {
    writeFileSync(join(directory, 'a'), 'bad');
    const paths = { resourcesPaths: [directory], configPaths: [] };
    await Promise.all([catalog.acquire(paths), catalog.acquire(paths)]);
    catalog.release(paths);
    expect(catalog.problems()).toEqual(['a: bad']);
    catalog.release(paths);
    expect(catalog.problems()).toEqual([]);
  });
});
