import { afterAll, beforeAll, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../support/mesh.js';

/** `weft invoke` with paths that could be taken for others: what the app gets, or that nobody gets anything. */

let mesh: Mesh;
const seen: (string | undefined)[] = [];

beforeAll(async () => {
  mesh = await createMesh();
  const appPort = await mesh.app((request, response) => {
    seen.push(request.url);
    response.end('done');
  });
  const orders = await mesh.sidecar({ appId: 'orders', appPort });
  await orders.ready();
}, 60_000);
afterAll(() => mesh?.close());

const invoke = (method: string, appId = 'orders') => {
  seen.length = 0;
  return mesh.world.run(['invoke', '--app-id', appId, '--method', method]);
};

it.each([
  ['checkout', '/checkout'],
  ['/checkout', '/checkout'],
  ['a%2fb', '/a%2fb'],
  ['a//b', '/a/b'],
  ['//a', '/a'],
  ['a?x=1&y=../..', '/a?x=1&y=../..'],
  ['/', '/'],
  ['a\\..\\b', '/a%5C..%5Cb'],
  ['a b', '/a%20b'],
  ['http://evil.example/a', '/http:/evil.example/a'],
])('%j arrives at the app as %j', async (method, url) => {
  const { code, text } = await invoke(method);
  expect([code, seen, text]).toEqual([0, [url], expect.stringContaining('done')]);
});

it.each([
  ['', /--method is empty/],
  ['../../../v1.0/shutdown', /has \. or \.\. as a part/],
  ['a/%2e%2e/b', /has \. or \.\. as a part/],
  ['a#b', /what stands after # is never sent/],
  ['a\r\nx-evil: 1', /line break/],
])('%j is refused, and nobody is asked', async (method, why) => {
  const { code, text } = await invoke(method);
  expect([code, seen, text]).toEqual([1, [], expect.stringMatching(why)]);
});

it.each(['', '..', 'orders/method/a', 'orders\r\nx-evil: 1', 'orders#', 'orders?', '%6frders'])(
  'there is no app %j',
  async (appId) => {
    const { code, text } = await invoke('a', appId);
    expect([code, seen, text]).toEqual([1, [], expect.stringMatching(/no such app is running/)]);
  },
);
