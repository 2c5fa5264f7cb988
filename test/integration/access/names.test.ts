import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRig, type EnvoyRig, type RigSidecar, type Seen } from '../../support/envoy-rig.js';
import { rawRequest } from '../../support/raw-http.js';

/**
 * Real Envoys (case S5): which app a call reaches is said by its app id alone, letter by letter; what stands in Host changes nothing, and a
 * name that is not exactly an app's is nobody's.
 */

let rig: EnvoyRig;
let checkout: RigSidecar;
beforeAll(async () => {
  rig = await createRig();
  checkout = await rig.add({ appId: 'checkout' });
  await rig.add({ appId: 'orders' });
  await rig.add({ appId: 'orders', instanceId: 'orders-prod', namespace: 'prod' });
  await rig.update({});
});
afterAll(() => rig.close());

const port = () => Number(new URL(checkout.api).port);
async function ask(target: string, headers: Record<string, string>): Promise<Seen | undefined> {
  const { status, body } = await rawRequest({ host: '127.0.0.1', port: port() }, { target, headers });
  return status === 200 ? (JSON.parse(body) as Seen) : undefined;
}

const HOSTS = [
  'orders',
  'ORDERS',
  'orders.',
  'checkout',
  'checkout:3500',
  'admin.default',
  '127.0.0.1:1',
  'ORDERS.PROD.',
  '[::1]:80',
  'xn--rders-9ra',
];

describe.each(HOSTS)('Host: %s', (host) => {
  it('leaves a call to the app that its header names', async () => {
    const seen = await ask('/a', { host, 'dapr-app-id': 'orders' });
    expect(seen).toMatchObject({ from: 'orders', url: '/a' });
    // The app is addressed as itself; what the client wrote is told, not believed.
    expect(seen?.headers.host).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('leaves a call to the app that its path names', async () => {
    expect(await ask('/v1.0/invoke/orders.prod/method/a', { host })).toMatchObject({ from: 'orders-prod', url: '/a' });
  });

  it('names no app by itself', async () => {
    expect(await ask('/a', { host })).toMatchObject({ from: 'service of checkout' });
  });
});

/** Each stands in the header and in the path as it is written here. */
const NOBODY = [
  'Orders',
  'ORDERS',
  'orders.',
  '.orders',
  'orders..prod',
  'orders.prod.',
  'orders.prod.svc',
  'orders.Prod',
  'orders,checkout',
  'örders'.normalize('NFC'),
  'orders%00',
  'orders%2e',
  'orders|prod',
  'app|default|orders',
  `orders${'x'.repeat(64)}`,
  'x'.repeat(4096),
];

describe.each(NOBODY)('the name %s', (name) => {
  const bytes = Buffer.from(name, 'utf8').toString('latin1');
  it('in a header is nobody’s', async () => {
    expect((await ask('/a', { 'dapr-app-id': bytes }))?.from ?? 'refused').toMatch(/^(service of checkout|refused)$/);
  });

  it('in a path is nobody’s', async () => {
    expect((await ask(`/v1.0/invoke/${bytes}/method/a`, {}))?.from ?? 'refused').toMatch(/^(service of checkout|refused)$/);
  });
});

it('of two app ids in one request none is chosen', async () => {
  const twice = { 'dapr-app-id': 'orders', 'Dapr-App-Id': 'checkout' };
  expect((await ask('/a', twice))?.from).toBe('service of checkout');
});

it('a name in a path may be escaped: it has one form before anything reads it', async () => {
  expect(await ask('/v1.0/invoke/%6frders%2Eprod/method/a', {})).toMatchObject({ from: 'orders-prod', url: '/a' });
});
