import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import yaml from 'js-yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveProfile } from '../../src/mesh/profile.js';
import type { Instance } from '../../src/model/instance.js';
import type { ActorPlacement } from '../../src/model/mesh-model.js';
import type { MeshSpec } from '../../src/model/mesh-profile.js';
import type { Snapshot } from '../../src/xds/resource.js';
import { type ResourceTypeName, resourceTypes } from '../../src/xds/resource-types.js';
import { createSnapshotBuilder } from '../../src/xds/snapshot-builder.js';
import { instanceOf, modelOf, withSpecs } from '../support/model.js';
import { resourcesOf } from '../support/resources.js';

/**
 * Models in, Envoy's configuration out: `in/<case>.yaml` becomes `out/<case>.<instance>.<type>.yaml`.
 * `UPDATE_GOLDEN=1 npx vitest run --project golden` writes them anew; read the difference before you commit it.
 */

const IN = join(import.meta.dirname, 'in');
const OUT = join(import.meta.dirname, 'out');
const UPDATE = process.env.UPDATE_GOLDEN === '1';
const TYPES: readonly ResourceTypeName[] = ['cluster', 'endpoint', 'listener', 'route'];

interface Case {
  /** Fields that are left out are those of an HTTP app on the Envoy door. */
  readonly instances: readonly (Partial<Instance> & { readonly appId: string })[];
  readonly placements?: readonly ActorPlacement[];
  /** With it, mTLS is ours. */
  readonly trustDomain?: string;
  /** The mesh switch, as it stands in a Configuration. */
  readonly mesh?: MeshSpec;
  /** By app id: what its Configuration says. */
  readonly specs?: Readonly<Record<string, unknown>>;
  /** What all apps get, as it stands in files. */
  readonly resources?: string;
  /** Instance ids whose Envoy's configuration is shown. */
  readonly show: readonly string[];
}

const written = new Set<string>();

describe.each(readdirSync(IN).map((file) => file.replace(/\.yaml$/, '')))('%s', (name) => {
  const {
    instances,
    placements = [],
    trustDomain,
    mesh,
    specs,
    resources = '',
    show,
  } = yaml.load(readFileSync(join(IN, `${name}.yaml`), 'utf8')) as Case;
  const all = instances.map((partial) => instanceOf(partial));
  it.each(show)('the Envoy of %s', async (instanceId) => {
    const set = await resourcesOf(resources);
    const model = withSpecs(modelOf(all, placements, set, resolveProfile(mesh, { trustDomain })), specs);
    const instance = all.find((it) => it.instanceId === instanceId);
    if (!instance) throw new Error(`${name}.yaml shows ${instanceId}, which is no instance of it`);
    const snapshot = createSnapshotBuilder().build(model, { role: 'envoy', ...instance });
    for (const type of TYPES) compare(`${name}.${instanceId}.${type}s.yaml`, describeAll(snapshot as Snapshot, type));
  });
});

afterAll(() => {
  const stale = readdirSync(OUT).filter((file) => !written.has(file));
  if (UPDATE) for (const file of stale) rmSync(join(OUT, file));
  else expect(stale, 'outputs without an input').toEqual([]);
});

function compare(file: string, actual: string): void {
  written.add(file);
  const path = join(OUT, file);
  if (UPDATE) {
    mkdirSync(OUT, { recursive: true });
    writeFileSync(path, actual);
  }
  expect(actual).toBe(readFileSync(path, 'utf8'));
}

function describeAll(snapshot: Snapshot, type: ResourceTypeName): string {
  const resources = [...(snapshot.get(resourceTypes[type])?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  return yaml.dump(
    resources.map((resource) => resource.describe()),
    { lineWidth: 160, noRefs: true, quotingType: '"' },
  );
}
