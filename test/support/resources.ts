import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResourceSet } from '../../src/model/mesh-model.js';
import { loadResourceSet } from '../../src/model/resources/index.js';

/** Reads resources as they would stand in a file. */
export async function readResources(text: string): Promise<{ readonly set: ResourceSet; readonly problems: readonly string[] }> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-resources-'));
  try {
    writeFileSync(join(dir, 'all.yaml'), text);
    return await loadResourceSet({ resourcesPaths: [dir], configPaths: [] });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @returns the resources of `text` @throws when any is refused */
export async function resourcesOf(text: string): Promise<ResourceSet> {
  const { set, problems } = await readResources(text);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return set;
}
