import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

/** Resiliency of components in a real sidecar: it travels as xDS, takes effect without a reconnect, and is counted. */

let mesh: Mesh;
let orders: SidecarProcess;
let directory: string;
let metrics: string;
const seen: string[] = [];
let failures = 0;

beforeAll(async () => {
  mesh = await createMesh();
  directory = join(mesh.world.home, 'shop');
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'broker.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: broker }
spec: { type: pubsub.sqlite, metadata: [{ name: redeliverInterval, value: 300s }] }
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: sub }
spec: { pubsubname: broker, topic: orders, routes: { default: /orders } }
`,
  );
  const appPort = await mesh.app((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: string };
      seen.push(data);
      response.writeHead(seen.filter((item) => item === data).length <= failures ? 500 : 200).end();
    });
  });
  const port = await mesh.world.port();
  metrics = `http://127.0.0.1:${port}/metrics`;
  orders = await mesh.sidecar({
    appId: 'orders',
    appPort,
    args: ['--resources-path', directory, '--metrics-port', String(port)],
  });
  await orders.ready();
}, 60_000);
afterAll(() => mesh?.close());

const resiliency = (spec: string) =>
  writeFileSync(
    join(directory, 'resiliency.yaml'),
    `apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: shop }
spec: ${spec}
`,
  );
const publish = (data: string) =>
  fetch(`${orders.api}/v1.0/publish/broker/orders`, {
    method: 'POST',
    body: JSON.stringify(data),
    headers: { 'content-type': 'application/json' },
  });
const held = async () => (await mesh.world.run(['proxy-config', 'orders', '--output', 'json'])).text;

it('gives an event to the app again as the policy says, from the moment that it is saved', async () => {
  resiliency(
    '{ policies: { retries: { quick: { duration: 20ms, maxRetries: 3 } } }, targets: { components: { broker: { inbound: { retry: quick } } } } }',
  );
  await eventually(async () => expect(await held()).toContain('"quick"'), 20_000);
  failures = 3;
  expect((await publish('a')).status).toBe(204);
  // The broker itself would come again after five minutes only.
  await eventually(() => expect(seen).toEqual(['a', 'a', 'a', 'a']), 10_000);
  await eventually(async () => {
    const text = await (await fetch(metrics)).text();
    expect(text).toContain(
      'dapr_resiliency_activations_total{name="shop",policy="retry",namespace="default",flow_direction="inbound",target="Pubsub_broker",status="",app_id="orders"} 3',
    );
  }, 10_000);
}, 60_000);

it('follows a change of the file while the subscription stays', async () => {
  resiliency(
    '{ policies: { retries: { r429: { maxRetries: 3, matching: { httpStatusCodes: "429" } } } }, targets: { components: { broker: { inbound: { retry: r429 } } } } }',
  );
  await eventually(async () => expect(await held()).toContain('"r429"'), 20_000);
  failures = 3;
  expect((await publish('b')).status).toBe(204);
  await orders.cli.until(/event not delivered, it will come again.*500/);
  expect(seen.filter((item) => item === 'b')).toHaveLength(1);
  expect(orders.cli.text().match(/subscribed/g)).toHaveLength(1);
}, 60_000);
