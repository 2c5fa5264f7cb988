import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

let mesh: Mesh;
beforeEach(async () => {
  mesh = await createMesh();
});
afterEach(() => mesh.close());

it('logs each call on request, also those that Envoy answers', async () => {
  const appPort = await mesh.app((_request, response) => response.end());
  const sidecar = await mesh.sidecar({ appId: 'orders', appPort, args: ['--enable-api-logging=true'] });
  await sidecar.ready();
  await fetch(`${sidecar.api}/v1.0/invoke/orders/method/x?secret=1`);
  await sidecar.cli.until(/msg="HTTP API Called".*method="GET \/v1\.0\/invoke\/orders\/method\/x"/);
});

const lines = ({ cli }: SidecarProcess) =>
  cli
    .text()
    .split('\n')
    .filter((line) => line.includes('API Called'));

describe.each(['service', 'envoy'] as const)('spec.logging.apiLogging on the %s door', (door) => {
  const write = (apiLogging: string) => {
    const file = join(mesh.world.home, 'logging.yaml');
    const head = 'apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: logging}\n';
    writeFileSync(file, `${head}spec: {logging: {apiLogging: ${apiLogging}}}\n`);
    return file;
  };
  const call = async ({ api }: SidecarProcess, path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${api}${path}`, { headers })).arrayBuffer();

  it('has each call once, whoever answers it, without its query; it comes and goes without a restart', async () => {
    const config = write('{enabled: false}');
    const appPort = await mesh.app((_request, response) => response.end());
    const sidecar = await mesh.sidecar({ appId: 'orders', appPort, door, args: ['--config', config] });
    await sidecar.ready();
    await call(sidecar, '/v1.0/invoke/orders/method/silent');
    write('{enabled: true, omitHealthChecks: true}');
    await eventually(async () => {
      await call(sidecar, '/v1.0/invoke/orders/method/probe');
      await call(sidecar, '/v1.0/state/statestore/probe');
      const seen = lines(sidecar).join();
      if (!seen.includes('method/probe') || !seen.includes('statestore/probe')) throw new Error('not logged yet');
    }, 10_000);
    await call(sidecar, '/v1.0/healthz');
    await call(sidecar, '/v1.0/invoke/orders/method/x?token=hidden');
    await call(sidecar, '/named?token=hidden', { 'dapr-app-id': 'orders' });
    await call(sidecar, '/v1.0/state/statestore/key?token=hidden');
    await sidecar.cli.until(/method="GET \/v1\.0\/invoke\/orders\/method\/named"/);
    await sidecar.cli.until(/method="GET \/v1\.0\/state\/statestore\/key"/);
    const seen = lines(sidecar);
    expect(seen.filter((line) => line.includes('orders/method/x"'))).toHaveLength(1);
    expect(seen.filter((line) => line.includes('statestore/key"'))).toHaveLength(1);
    expect(seen.join()).not.toMatch(/silent|hidden|healthz/);
    write('{enabled: true, obfuscateURLs: true}');
    await eventually(async () => {
      await call(sidecar, '/v1.0/invoke/orders/method/y');
      if (!lines(sidecar).some((line) => line.includes('method="GET /v1.0/invoke"'))) throw new Error('still told');
    }, 10_000);
  }, 60_000);
});
