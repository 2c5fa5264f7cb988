import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh } from '../../support/mesh.js';

/** A sidecar that says it is ready has subscribed: what is published from then on arrives, however app and sidecars came up. */

let mesh: Mesh;
let directory: string;
const servers: Server[] = [];
beforeAll(async () => {
  mesh = await createMesh();
  directory = join(mesh.world.home, 'res');
  mkdirSync(directory);
  const one = (name: string, type: string) =>
    `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: ${name} }\nspec: { type: ${type}, version: v1, metadata: [] }\n`;
  writeFileSync(join(directory, 'brokers.yaml'), [one('memory', 'pubsub.in-memory'), one('lite', 'pubsub.sqlite')].join('---\n'));
}, 60_000);
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await mesh?.close();
});

/** An app that hears topic `topic` of both brokers. `unready`: how often it says 503 first. */
function hearer(topic: string, { slowMs, unready }: { slowMs: number; unready: number }) {
  const got: string[] = [];
  let asked = 0;
  const list = JSON.stringify(['memory', 'lite'].map((pubsubname) => ({ pubsubname, topic, route: `/${pubsubname}` })));
  const server = createServer((request, response) => {
    if (request.url === '/dapr/subscribe') {
      asked += 1;
      const status = asked > unready ? 200 : 503;
      setTimeout(() => response.writeHead(status).end(status === 200 ? list : ''), slowMs);
      return;
    }
    if (request.method === 'GET') return void response.writeHead(404).end();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: string };
      got.push(`${request.url} ${data}`);
      response.end('{}');
    });
  });
  servers.push(server);
  return { got, server };
}

it.each([
  ['at once', { slowMs: 0, unready: 0, lateMs: 0 }],
  ['slowly', { slowMs: 700, unready: 0, lateMs: 0 }],
  ['late', { slowMs: 0, unready: 0, lateMs: 2000 }],
  ['with 503 first', { slowMs: 0, unready: 2, lateMs: 0 }],
])(
  'delivers what is published the moment that both sidecars are ready, to an app that comes up %s',
  async (name, how) => {
    const topic = name.replaceAll(' ', '-');
    const { got, server } = hearer(topic, how);
    const appPort = await mesh.world.port();
    const listen = () => server.listen(appPort, '127.0.0.1');
    if (how.lateMs > 0) setTimeout(listen, how.lateMs);
    else listen();
    const args = ['--resources-path', directory];
    const [hearing, speaking] = await Promise.all([
      mesh.sidecar({ appId: `hear-${topic}`, appPort, args }),
      mesh.sidecar({ appId: `speak-${topic}`, args }),
    ]);
    await Promise.all([hearing.ready(), speaking.ready()]);
    const publish = async (api: string, broker: string, from: string) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${api}/v1.0/publish/${broker}/${topic}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(from),
      });
      expect(response.status).toBe(204);
    };
    await Promise.all([
      publish(hearing.api, 'memory', 'own'),
      publish(hearing.api, 'lite', 'own'),
      publish(speaking.api, 'lite', 'other'),
    ]);
    await eventually(() => expect([...got].sort()).toEqual(['/lite other', '/lite own', '/memory own']), 10_000);
  },
  60_000,
);
