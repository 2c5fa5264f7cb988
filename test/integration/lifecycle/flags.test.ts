import { afterAll, beforeAll, expect, it } from 'vitest';
import { createMesh, type Mesh, untilStatus } from '../../support/mesh.js';

/** Flags as scripts that start daprd write them. */

let mesh: Mesh;
beforeAll(async () => {
  mesh = await createMesh();
}, 60_000);
afterAll(() => mesh?.close());

it('takes daprd’s flags with one dash, with and without an equals sign', async () => {
  const [http, grpc] = [await mesh.world.port(), await mesh.world.port()];
  const ports = [`-dapr-http-port=${http}`, '-dapr-grpc-port', String(grpc)];
  const cli = mesh.world.weft(['sidecar', '-app-id', 'dashes', ...ports, '-app-max-concurrency', '-1', '-log-level', 'debug']);
  await untilStatus(`http://127.0.0.1:${http}/v1.0/healthz?appid=dashes`, 204, cli);
  cli.signal('SIGTERM');
  expect(await cli.exit()).toBe(0);
}, 60_000);
