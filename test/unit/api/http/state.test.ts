import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../../support/api-servers.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const call = async (path: string, init?: RequestInit) => {
  const response = await fetch(api.url(`/v1.0/state/${path}`), init);
  return { status: response.status, headers: response.headers, text: await response.text() };
};
const post = (path: string, body: unknown, method = 'POST') =>
  call(path, { method, body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body) });
const code = (text: string) => JSON.parse(text).errorCode;

describe.each(['statestore', 'lite'])('the state API over HTTP on %s', (store) => {
  it('stores a value and gives back the very bytes, with etag', async () => {
    const value = '{ "big": 9007199254740993, "s": "\\u00e9\\/", "f": 1.0 }';
    expect(await post(store, `[{"key":"raw","value":${value}}]`)).toMatchObject({ status: 204, text: '' });
    const read = await call(`${store}/raw`);
    expect(read).toMatchObject({ status: 200, text: value });
    expect(read.headers.get('content-type')).toBe('application/json');
    expect(read.headers.get('etag')).toBeTruthy();
  });

  it('keeps a value of many bytes that are no ASCII', async () => {
    const value = JSON.stringify('ü€😀'.repeat(2000));
    await post(store, `[{"key":"long","value":${value}}]`);
    expect((await call(`${store}/long`)).text).toBe(value);
    await post(store, '[{"key":"short","value":"ü€😀"}]');
    expect((await call(`${store}/short`)).text).toBe('"ü€😀"');
  });

  it('answers 204 for what is not there', async () => {
    expect(await call(`${store}/nothing`)).toMatchObject({ status: 204, text: '' });
    expect(await call(`${store}/nothing`, { method: 'DELETE' })).toMatchObject({ status: 204 });
    expect(await post(store, '[]')).toMatchObject({ status: 204 });
    expect(await post(store, 'null')).toMatchObject({ status: 204 });
  });

  it('takes field names in any case, and null for a value that is left out', async () => {
    await post(store, '[{"KEY":"case","Value":1},{"key":"none"}]', 'PUT');
    expect((await call(`${store}/case`)).text).toBe('1');
    expect((await call(`${store}/none`)).text).toBe('null');
  });

  it.each([
    ['an object for the array', '{"key":"a"}'],
    ['a missing key', '[{"value":1}]'],
    ['an item that is null', '[null]'],
    ['a separator in the key', '[{"key":"a||b","value":1}]'],
    ['a numeric etag', '[{"key":"a","value":1,"etag":5}]'],
    ['metadata that is no map of strings', '[{"key":"a","value":1,"metadata":{"ttlInSeconds":5}}]'],
    ['a bad time to live', '[{"key":"a","value":1,"metadata":{"ttlInSeconds":"x"}}]'],
    ['a bad consistency', '[{"key":"a","value":1,"options":{"consistency":"x"}}]'],
    ['broken JSON', '[{"key":"a","value":1}'],
    ['an empty body', ''],
    ['half a surrogate pair in the key', '[{"key":"a\\ud800","value":1}]'],
    ['bytes that are not UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])],
  ])('refuses %s with 400', async (_what, body) => {
    const { status, text } = await post(store, body);
    expect([status, code(text)]).toEqual([400, 'ERR_MALFORMED_REQUEST']);
  });

  it('refuses a wrong etag with 409, takes the right one', async () => {
    await post(store, [{ key: 'tag', value: 1 }]);
    const etag = (await call(`${store}/tag`)).headers.get('etag') as string;
    const wrong = await post(store, [{ key: 'tag', value: 2, etag: 'x' }]);
    expect([wrong.status, code(wrong.text)]).toEqual([409, 'ERR_STATE_SAVE']);
    expect(await call(`${store}/tag`, { method: 'DELETE', headers: { 'if-match': 'x' } })).toMatchObject({ status: 409 });
    expect(await post(store, [{ key: 'tag', value: 2, etag, options: { concurrency: 'first-write' } }])).toMatchObject({
      status: 204,
    });
    const now = (await call(`${store}/tag`)).headers.get('etag') as string;
    expect(await call(`${store}/tag`, { method: 'DELETE', headers: { 'if-match': now } })).toMatchObject({ status: 204 });
    expect((await post(store, [{ key: 'fw', value: 1, options: { concurrency: 'first-write' } }])).status).toBe(204);
    expect((await post(store, [{ key: 'fw', value: 1, options: { concurrency: 'first-write' } }])).status).toBe(409);
  });

  it('tells when an entry expires, and lets the query win over the item', async () => {
    await post(`${store}?metadata.ttlInSeconds=100`, [{ key: 'ttl', value: 1, metadata: { ttlInSeconds: '5' } }]);
    const expires = (await call(`${store}/ttl`)).headers.get('metadata.ttlExpireTime') as string;
    expect(expires).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(90_000);
  });

  it('reads many keys at once, in order', async () => {
    await post(store, '[{"key":"m1","value":{"a": 1}},{"key":"m2","value":"x","metadata":{"ttlInSeconds":"100"}}]');
    const { status, text } = await post(`${store}/bulk`, { keys: ['m2', 'absent', 'm1'], parallelism: 10 });
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual([
      { key: 'm2', data: 'x', etag: expect.any(String), metadata: { ttlExpireTime: expect.any(String) } },
      { key: 'absent' },
      { key: 'm1', data: { a: 1 }, etag: expect.any(String) },
    ]);
    expect(text).toContain('"data":{"a": 1}');
    expect((await post(`${store}/bulk`, '{}')).text).toBe('[]');
    expect(code((await post(`${store}/bulk`, { keys: [1] })).text)).toBe('ERR_MALFORMED_REQUEST');
  });

  it('runs a transaction as a whole or not at all', async () => {
    const operations = [
      { operation: 'upsert', request: { key: 't1', value: { n: 1 } } },
      { operation: 'upsert', request: { key: 't2', value: 2 } },
      { operation: 'delete', request: { key: 't1' } },
    ];
    expect(await post(`${store}/transaction`, { operations, metadata: { ttlInSeconds: '100' } })).toMatchObject({ status: 204 });
    expect((await call(`${store}/t1`)).status).toBe(204);
    expect((await call(`${store}/t2`)).headers.get('metadata.ttlexpiretime')).toBeTruthy();
    const bad = [
      { operation: 'upsert', request: { key: 't3', value: 1 } },
      { operation: 'delete', request: { key: 't2', etag: 'x' } },
    ];
    const failed = await post(`${store}/transaction`, { operations: bad });
    expect([failed.status, code(failed.text)]).toEqual([500, 'ERR_STATE_TRANSACTION']);
    expect((await call(`${store}/t3`)).status).toBe(204);
    expect(await post(`${store}/transaction`, { operations: [] })).toMatchObject({ status: 204 });
    const unknown = await post(`${store}/transaction`, { operations: [{ operation: 'nope', request: {} }] });
    expect([unknown.status, code(unknown.text)]).toEqual([400, 'ERR_NOT_SUPPORTED_STATE_OPERATION']);
  });
});

describe('the state API over HTTP', () => {
  it('refuses an unknown store with a rich error', async () => {
    const { status, text } = await call('nope/k');
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      errorCode: 'ERR_STATE_STORE_NOT_FOUND',
      details: [{ reason: 'DAPR_STATE_NOT_FOUND', metadata: { appID: 'orders' } }],
    });
  });

  it('refuses a bad consistency on reading', async () => {
    expect((await call('statestore/k?consistency=bad')).status).toBe(400);
    expect((await call('statestore/k?consistency=strong')).status).toBe(204);
  });

  it('leaves queries, which no store can do, to the fallback', async () => {
    expect((await post('statestore/query', '{}')).status).toBe(404);
  });
});
