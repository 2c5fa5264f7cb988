import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DaprClient } from '../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { sleep } from '../../src/lib/async.js';
import { eventually } from '../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../support/mesh.js';

/** A component that fails and is tried again without end, in real sidecars: the tries end when nobody waits for them any more. */

let mesh: Mesh;
const doors = ['envoy', 'service'] as const;
const sidecars = new Map<string, { readonly sidecar: SidecarProcess; readonly metrics: string }>();
beforeAll(async () => {
  mesh = await createMesh();
  const directory = join(mesh.world.home, 'shop');
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'all.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: secretstores.local.file, metadata: [{ name: secretsFile, value: ${join(directory, 'secrets.json')} }] }
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: patient }
spec:
  policies: { retries: { ever: { policy: constant, duration: 20ms, maxRetries: -1 } } }
  targets: { components: { vault: { outbound: { retry: ever } } } }
`,
  );
  writeFileSync(join(directory, 'secrets.json'), '{"there":"yes"}');
  for (const door of doors) {
    const port = await mesh.world.port();
    const args = ['--resources-path', directory, '--metrics-port', String(port)];
    const sidecar = await mesh.sidecar({ appId: `app-${door}`, door, args });
    sidecars.set(door, { sidecar, metrics: `http://127.0.0.1:${port}/metrics` });
  }
  await Promise.all([...sidecars.values()].map(({ sidecar }) => sidecar.ready()));
}, 60_000);
afterAll(() => mesh?.close());

it.each(doors.flatMap((door) => [[door, 'HTTP'] as const, [door, 'gRPC'] as const]))(
  'at the %s door, over %s',
  async (door, protocol) => {
    const { sidecar, metrics } = sidecars.get(door) as NonNullable<ReturnType<typeof sidecars.get>>;
    const retries = async () => {
      const text = await (await fetch(metrics)).text();
      const [, count = '0'] = /^dapr_resiliency_activations_total\{[^}]*policy="retry"[^}]*\} (\d+)/m.exec(text) ?? [];
      return Number(count);
    };
    const before = await retries();
    const leave = protocol === 'HTTP' ? askHttp(sidecar) : askGrpc(sidecar);
    await eventually(async () => expect(await retries()).toBeGreaterThan(before + 3));
    leave();

    await eventually(async () => {
      const seen = await retries();
      await sleep(200);
      expect(await retries()).toBe(seen);
    });
  },
);

function askHttp({ httpPort }: SidecarProcess): () => void {
  const call = request({ host: '127.0.0.1', port: httpPort, path: '/v1.0/secrets/vault/nothing' });
  call.on('error', () => {});
  call.end();
  return () => call.destroy();
}

function askGrpc({ grpcPort }: SidecarProcess): () => void {
  const client = new DaprClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const call = client.getSecret({ storeName: 'vault', key: 'nothing', metadata: {} }, () => {});
  return () => {
    call.cancel();
    client.close();
  };
}
