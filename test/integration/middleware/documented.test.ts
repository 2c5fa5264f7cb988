import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMiddleware } from '../../../src/model/middleware/kinds.js';
import { type PipelineSpec, pipelineProblems } from '../../../src/model/middleware/pipeline.js';
import { call } from '../../support/http-call.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';
import { readResources } from '../../support/resources.js';

/** What people are told to write works as it is written. */

const root = resolve(import.meta.dirname, '../../..');

it('the YAML of docs/access.md is taken as it stands', async () => {
  const blocks = [...readFileSync(`${root}/docs/access.md`, 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => text ?? '',
  );
  expect(blocks.length).toBeGreaterThan(1);
  for (const text of blocks) {
    const { set, problems } = await readResources(text);
    expect(problems).toEqual([]);
    const components = set.components.filter(({ type }) => isMiddleware(type));
    for (const { spec } of set.configurations)
      expect(pipelineProblems({ spec: (spec as { httpPipeline?: PipelineSpec }).httpPipeline, components, local: [] })).toEqual(
        [],
      );
  }
});

describe('examples/middleware', () => {
  let mesh: Mesh;
  let sidecar: SidecarProcess;
  beforeAll(async () => {
    mesh = await createMesh();
    sidecar = await mesh.sidecar({ appId: 'demo', args: ['--resources-path', `${root}/examples/middleware/components`] });
    await sidecar.ready();
  });
  afterAll(() => mesh.close());

  it('does what its README says, from the first call on', async () => {
    const get = (headers: Record<string, string>) => call(`${sidecar.api}/v1.0/metadata`, { headers });
    const refused = await get({});
    expect([refused.status, refused.body]).toEqual([400, 'who are you? send x-tenant\n']);
    const { status, headers } = await get({ 'x-tenant': 'acme' });
    expect([status, headers['x-seen-by']]).toEqual([200, 'add-header.ts']);
  });
});
