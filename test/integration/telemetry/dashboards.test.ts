import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
let ports: number[];

beforeAll(async () => {
  mesh = await createMesh();
  ports = [await mesh.world.port(), await mesh.world.port()];
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  const callee = await mesh.sidecar({ appId: 'callee', appPort, args: ['--metrics-port', String(ports[0])] });
  const caller = await mesh.sidecar({ appId: 'caller', args: ['--metrics-port', String(ports[1])] });
  await Promise.all([caller.ready(), callee.ready()]);
  await (await fetch(`${caller.api}/v1.0/invoke/callee/method/x`)).text();
}, 60_000);
afterAll(() => mesh?.close());

const metricsOf = async (port: number) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

/** Names of series in the queries of every panel and variable. */
function namesIn(dashboard: string): readonly string[] {
  const text = readFileSync(resolve(import.meta.dirname, `../../../dashboards/${dashboard}.json`), 'utf8');
  const { panels, templating } = JSON.parse(text) as {
    panels: { targets: { expr: string }[] }[];
    templating: { list: { query: string }[] };
  };
  const queries = [
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...templating.list.map(({ query }) => query),
  ];
  return [...new Set(queries.flatMap((query) => query.match(/\b(?:dapr|weft)_\w+/g) ?? []))];
}

/** Those that no `# TYPE` line declares; a histogram's parts stand under its own name. */
function missingIn(text: string, dashboard: string): readonly string[] {
  const names = namesIn(dashboard);
  expect(names.length).toBeGreaterThan(5);
  return names.filter(
    (name) => !text.includes(`# TYPE ${name} `) && !text.includes(`# TYPE ${name.replace(/_bucket$/, '')} histogram`),
  );
}

test('every series on the dashboard of the sidecars is one that sidecars serve', async () => {
  await eventually(async () => {
    const texts = await Promise.all(ports.map(metricsOf));
    expect(missingIn(texts.join('\n'), 'sidecar')).toEqual([]);
  }, 15_000);
}, 30_000);

test('every series on the dashboard of the control plane is one that it serves', async () => {
  const port = Number(mesh.world.controlPlane.split(':')[1]) + 1;
  expect(missingIn(await metricsOf(port), 'control-plane')).toEqual([]);
});
