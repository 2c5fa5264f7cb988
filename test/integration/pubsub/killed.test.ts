import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Real processes (case F9): sidecars are killed while events flow through the broker that they share. Every event whose publish was answered with 204 arrives. */

let mesh: Mesh;
let directory: string;
const arrived = new Set<string>();
const app = createServer((request, response) => {
  if (request.url === '/dapr/subscribe') return void response.end('[{"pubsubname":"bus","topic":"t","route":"/event"}]');
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/event') arrived.add((JSON.parse(Buffer.concat(chunks).toString()) as { data: { id: string } }).data.id);
    response.writeHead(request.url === '/event' ? 200 : 404).end();
  });
});

beforeAll(async () => {
  mesh = await createMesh();
  directory = join(mesh.world.home, 'res');
  mkdirSync(directory);
  // What a killed sidecar had under way comes again after two seconds.
  const metadata = '[{ name: processingTimeout, value: 2s }]';
  writeFileSync(
    join(directory, 'bus.yaml'),
    `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: bus }\nspec: { type: pubsub.sqlite, version: v1, metadata: ${metadata} }\n`,
  );
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  app.closeAllConnections();
  app.close();
  await mesh?.close();
});

const args = () => ['--resources-path', directory];
const subscriber = () => mesh.sidecar({ appId: 'sub', appPort: (app.address() as AddressInfo).port, args: args() });
const publisher = () => mesh.sidecar({ appId: 'pub', args: args() });

/** Publishes one event after the other until its sidecar is gone. @returns how many were taken, and the end of it */
function publish(sidecar: SidecarProcess, prefix: string, taken: string[]): Promise<void> {
  const next = async (i: number): Promise<void> => {
    const id = `${prefix}-${i}`;
    const answer = await fetch(`${sidecar.api}/v1.0/publish/bus/t`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
    }).catch(() => undefined);
    if (!answer) return;
    expect(answer.status).toBe(204);
    taken.push(id);
    return next(i + 1);
  };
  return next(0);
}

it('publishers’ and subscribers’ sidecars in turn', async () => {
  const taken: string[] = [];
  let subscribers = [await subscriber(), await subscriber()];
  await Promise.all(subscribers.map((it) => it.ready()));
  for (const round of ['a', 'b', 'c']) {
    const from = await publisher();
    await from.ready();
    const [seen, count] = [arrived.size, taken.length];
    const publishing = publish(from, round, taken);
    await eventually(() => expect([taken.length > count + 100, arrived.size > seen + 50]).toEqual([true, true]), 20_000);
    // Its successor comes up while events go on to flow.
    const [oldest, ...others] = subscribers;
    oldest?.cli.signal('SIGKILL');
    subscribers = [...others, await subscriber()];
    await subscribers.at(-1)?.ready();
    from.cli.signal('SIGKILL');
    await publishing;
  }
  await eventually(() => expect(taken.filter((id) => !arrived.has(id))).toEqual([]), 60_000);
  expect(taken.length).toBeGreaterThan(300);
}, 180_000);
