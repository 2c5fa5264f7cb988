import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';
import { readSeries, sumOf } from '../../support/series.js';

let mesh: Mesh;
let ports: number[];

beforeAll(async () => {
  mesh = await createMesh();
  ports = [await mesh.world.port(), await mesh.world.port()];
  const appPort = await mesh.app((_request, response) => response.end('hello'));
  const config = join(mesh.world.home, 'access.yaml');
  const rule =
    '{ appId: caller, defaultAction: allow, trustDomain: public, namespace: default, operations: [{ name: /secret, httpVerb: ["*"], action: deny }] }';
  const head = 'apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: access }\n';
  writeFileSync(config, `${head}spec: { accessControl: { defaultAction: deny, policies: [${rule}] } }\n`);
  const callee = await mesh.sidecar({ appId: 'callee', appPort, args: ['--metrics-port', String(ports[0]), '--config', config] });
  const caller = await mesh.sidecar({ appId: 'caller', args: ['--metrics-port', String(ports[1])] });
  const stranger = await mesh.sidecar({ appId: 'stranger' });
  await Promise.all([caller.ready(), callee.ready(), stranger.ready()]);
  for (const path of ['x', 'secret']) await (await fetch(`${caller.api}/v1.0/invoke/callee/method/${path}`)).text();
  await (await fetch(`${stranger.api}/v1.0/invoke/callee/method/x`)).text();
}, 60_000);
afterAll(() => mesh?.close());

const controlPlanePort = () => Number(mesh.world.controlPlane.split(':')[1]) + 1;
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
    (name) =>
      !text.includes(`# TYPE ${name} `) && !text.includes(`# TYPE ${name.replace(/_(?:bucket|sum|count)$/, '')} histogram`),
  );
}

test('every series on the dashboard of the sidecars is one that sidecars serve', async () => {
  await eventually(async () => {
    const texts = await Promise.all(ports.map(metricsOf));
    expect(missingIn(texts.join('\n'), 'sidecar')).toEqual([]);
  }, 15_000);
}, 30_000);

test('every series on the dashboard of the control plane is one that it serves', async () => {
  expect(missingIn(await metricsOf(controlPlanePort()), 'control-plane')).toEqual([]);
});

test('documents that are refused are counted by their kind, and no more once they are mended', async () => {
  const refused = async () =>
    sumOf(readSeries(await metricsOf(controlPlanePort())), 'weft_resources_refused', { kind: 'Component' });
  const file = join(mesh.world.home, 'own', 'component.yaml');
  const write = (type: string) =>
    writeFileSync(file, `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: a }\nspec: { ${type} }\n`);
  mkdirSync(join(mesh.world.home, 'own'));
  write('type: state.in-memory, version: v1');
  const sidecar = await mesh.sidecar({ appId: 'other', args: ['--resources-path', join(mesh.world.home, 'own')] });
  await sidecar.ready();
  expect(await refused()).toBeUndefined();
  write('typ: state.in-memory');
  await eventually(async () => expect(await refused()).toBe(1));
  write('type: state.in-memory, version: v1');
  await eventually(async () => expect(await refused()).toBeUndefined());
}, 30_000);
