import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await createMesh();
});
afterAll(() => mesh.close());

/** Runs a sidecar that cannot start. @returns its one line; nothing of it is left */
async function refusal(args: readonly string[]): Promise<string> {
  const { code, text } = await mesh.world.run(['sidecar', ...args]);
  expect(code).toBe(1);
  // The guard of Envoy sees the end of the sidecar a moment later.
  await eventually(() => expect(mesh.world.processes().filter((line) => !line.includes('control-plane'))).toEqual([]));
  const lines = text.split('\n').filter((line) => line.startsWith('weft: '));
  expect(lines).toHaveLength(1);
  return lines[0] as string;
}

it('names the taken port and the flag', async () => {
  const port = await mesh.world.port();
  const squatter = createServer().listen(port, '127.0.0.1');
  for (const flag of ['--dapr-http-port', '--dapr-grpc-port', '--dapr-internal-grpc-port']) {
    const others = flag === '--dapr-http-port' ? [] : ['--dapr-http-port', String(await mesh.world.port())];
    const grpc = flag === '--dapr-grpc-port' ? [] : ['--dapr-grpc-port', String(await mesh.world.port())];
    expect(await refusal(['--app-id', 'a', ...others, ...grpc, flag, String(port)])).toBe(
      `weft: 127.0.0.1:${port} is taken by another process; stop that one or choose another ${flag}`,
    );
  }
  squatter.close();
});

it.each([
  [['--app-id', 'a.b'], /^weft: --app-id a\.b: use 1 to 64 letters/],
  [['--app-port', '1'], /^weft: required option '--app-id <id>' not specified$/],
  [['--app-id', 'a', '--app-prot', 'http'], /^weft: unknown option '--app-prot' \(did you mean --app-port\?\)/],
  [['--app-id', 'a', '--app-port', '70000'], /--app-port.*70000.*A port is a number from 0 to 65535/],
  [['--app-id', 'a', '--app-protocol', 'smtp'], /--app-protocol.*smtp.*Allowed choices are http, https, h2c, grpc, grpcs/],
  [['--app-id', 'a', '--max-body-size', 'huge'], /--max-body-size.*huge.*Expected a size, such as 4Mi/],
  [['--app-id', 'a', '--resources-path', '/nowhere'], /^weft: --resources-path \/nowhere: there is no such file or directory$/],
  [['--app-id', 'a', '--control-plane-address', 'nowhere'], /^weft: --control-plane-address nowhere: expected host:port/],
  [['--app-id', 'a', '--dapr-http-port', '3999', '--dapr-grpc-port', '3999'], /are both 3999; give each a port of its own/],
])('refuses %j in one line', async (args, line) => {
  expect(await refusal(args)).toMatch(line);
});

it('names file, component and nearest type when a component has an unknown type', async () => {
  const dir = join(mesh.world.home, 'bad-type');
  mkdirSync(dir);
  const yaml = 'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec: {type: state.sqlit, version: v1}\n';
  writeFileSync(join(dir, 'store.yaml'), yaml);
  const ports = ['--dapr-http-port', String(await mesh.world.port()), '--dapr-grpc-port', String(await mesh.world.port())];
  expect(await refusal(['--app-id', 'a', '--resources-path', dir, ...ports])).toMatch(
    /store.*store\.yaml.*unknown type state\.sqlit; did you mean state\.sqlite\?/,
  );
});

it('names file and field when a resource is wrong', async () => {
  const dir = join(mesh.world.home, 'bad-field');
  mkdirSync(dir);
  const yaml =
    'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec: {type: state.sqlite, version: 1, oops: 2}\n';
  writeFileSync(join(dir, 'store.yaml'), yaml);
  const ports = ['--dapr-http-port', String(await mesh.world.port()), '--dapr-grpc-port', String(await mesh.world.port())];
  expect(await refusal(['--app-id', 'a', '--resources-path', dir, ...ports])).toMatch(/store\.yaml.*spec\.(oops|version)/);
});
