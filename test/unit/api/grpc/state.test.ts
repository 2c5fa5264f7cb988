import { type AddressInfo, createServer } from 'node:net';
import { ChannelCredentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateOptions_StateConcurrency as Concurrency } from '../../../../src/gen/dapr/proto/common/v1/common.js';
import { DaprClient } from '../../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { Status } from '../../../../src/gen/google/rpc/status.js';
import { startApi, type TestApi, type TestApiOptions } from '../../../support/api-servers.js';

let api: TestApi;
let client: DaprClient;
const start = async (options?: TestApiOptions) => {
  await api?.close();
  api = await startApi(options);
  client = new DaprClient(`127.0.0.1:${api.grpcPort}`, ChannelCredentials.createInsecure());
};
beforeEach(() => start());
afterEach(async () => {
  client.close();
  await api.close();
});

/** Calls a unary method with a partial request. */
function call(method: keyof DaprClient, request: object, metadata = new Metadata()): Promise<Record<string, never>> {
  const base = { metadata: {}, consistency: 0, parallelism: 0, states: [], operations: [], keys: [] };
  return new Promise((resolve, reject) => {
    (client[method] as unknown as (...args: unknown[]) => void).call(
      client,
      { ...base, ...request },
      metadata,
      (error: ServiceError | null, response: never) => (error ? reject(error) : resolve(response)),
    );
  });
}
const failure = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => expect.fail('no error'),
    (error) => error,
  );
const item = (key: string, value: string, rest = {}) => ({ key, value: Buffer.from(value), metadata: {}, ...rest });
const details = (error: ServiceError) => {
  const [encoded] = error.metadata.get('grpc-status-details-bin');
  const { code, details } = Status.decode(encoded as Buffer);
  return {
    code,
    types: details.map(({ typeUrl }) => typeUrl.split('.').at(-1)),
    text: details.map(({ value }) => value.toString()).join(),
  };
};

describe('the state API over gRPC', () => {
  it('keeps bytes as they are, and answers an absent key with nothing', async () => {
    const value = Buffer.from([0, 255, 1]);
    await call('saveState', { storeName: 'statestore', states: [{ key: 'k', value, metadata: { ttlInSeconds: '100' } }] });
    expect(await call('getState', { storeName: 'statestore', key: 'k' })).toMatchObject({
      data: value,
      etag: expect.stringMatching(/./),
      metadata: { ttlExpireTime: expect.any(String) },
    });
    expect(await call('getState', { storeName: 'statestore', key: 'none' })).toMatchObject({ etag: '', metadata: {} });
    await call('deleteState', { storeName: 'statestore', key: 'k' });
    expect((await call('getState', { storeName: 'statestore', key: 'k' })).etag).toBe('');
  });

  it('shares values with HTTP', async () => {
    await call('saveState', { storeName: 'lite', states: [item('k', '{"a": 1}')] });
    expect(await (await fetch(api.url('/v1.0/state/lite/k'))).text()).toBe('{"a": 1}');
    await call('saveState', { storeName: 'lite', states: [{ key: 'b', value: Buffer.from([255]), metadata: {} }] });
    const bulk = await fetch(api.url('/v1.0/state/lite/bulk'), { method: 'POST', body: '{"keys":["b"]}' });
    expect(await bulk.json()).toMatchObject([{ key: 'b', data: '/w==' }]);
  });

  it('wants JSON where the item says so, and keeps its bytes', async () => {
    const json = { metadata: { contentType: 'application/json' } };
    await call('saveState', { storeName: 'statestore', states: [item('k', '{ "n": 9007199254740993 }', json)] });
    expect(String((await call('getState', { storeName: 'statestore', key: 'k' })).data)).toBe('{ "n": 9007199254740993 }');
    expect(await failure(call('saveState', { storeName: 'statestore', states: [item('k', '{', json)] }))).toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('reads, deletes and transacts many keys', async () => {
    await call('saveState', { storeName: 'lite', states: [item('a', '1'), item('b', '2')] });
    const { items } = (await call('getBulkState', { storeName: 'lite', keys: ['b', 'x', 'a'] })) as unknown as {
      items: { key: string; data: Buffer }[];
    };
    expect(items.map(({ key, data }) => `${key}=${data}`)).toEqual(['b=2', 'x=', 'a=1']);
    await call('executeStateTransaction', {
      storeName: 'lite',
      operations: [
        { operationType: 'upsert', request: item('c', '3') },
        { operationType: 'delete', request: item('a', '') },
      ],
    });
    expect(String((await call('getState', { storeName: 'lite', key: 'c' })).data)).toBe('3');
    await call('deleteBulkState', { storeName: 'lite', states: [item('b', ''), item('c', '')] });
    expect((await call('getState', { storeName: 'lite', key: 'c' })).etag).toBe('');
  });

  it('answers a wrong etag with Aborted, inside a transaction with Internal', async () => {
    const wrong = item('k', '1', { etag: { value: 'x' } });
    const saved = await failure(call('saveState', { storeName: 'statestore', states: [wrong] }));
    expect(saved.code).toBe(status.ABORTED);
    expect(details(saved)).toMatchObject({
      code: status.ABORTED,
      types: ['ErrorInfo'],
      text: expect.stringContaining('ERR_STATE_SAVE'),
    });
    const operations = [{ operationType: 'upsert', request: wrong }];
    expect((await failure(call('executeStateTransaction', { storeName: 'statestore', operations }))).code).toBe(status.INTERNAL);
    const first = item('f', '1', { options: { concurrency: Concurrency.CONCURRENCY_FIRST_WRITE, consistency: 0 } });
    await call('saveState', { storeName: 'statestore', states: [first] });
    expect((await failure(call('saveState', { storeName: 'statestore', states: [first] }))).code).toBe(status.ABORTED);
  });

  it('carries rich details for an illegal key and an unknown store', async () => {
    const key = await failure(call('getState', { storeName: 'statestore', key: 'a||b' }));
    expect(key.code).toBe(status.INVALID_ARGUMENT);
    expect(details(key)).toMatchObject({
      types: ['BadRequest', 'ResourceInfo', 'ErrorInfo'],
      text: expect.stringContaining('DAPR_STATE_ILLEGAL_KEY'),
    });
    const store = await failure(call('getState', { storeName: 'nope', key: 'k' }));
    expect([store.code, store.details]).toEqual([status.INVALID_ARGUMENT, 'state store nope is not found']);
  });

  it('answers a method that no block has with Unimplemented', async () => {
    expect((await failure(call('queryStateAlpha1', { storeName: 'statestore', query: '{}' }))).code).toBe(status.UNIMPLEMENTED);
  });

  it('asks for the API token', async () => {
    client.close();
    await start({ apiToken: 'right' });
    for (const token of [undefined, 'wrong', 'righ']) {
      const metadata = new Metadata();
      if (token) metadata.set('dapr-api-token', token);
      const error = await failure(call('getState', { storeName: 'statestore', key: 'k' }, metadata));
      expect([error.code, error.details]).toEqual([status.UNAUTHENTICATED, 'Unauthorized']);
      expect(details(error).text).toContain('http.code');
      expect((await failure(call('queryStateAlpha1', {}, metadata))).code).toBe(status.UNAUTHENTICATED);
    }
    const metadata = new Metadata();
    metadata.set('dapr-api-token', 'right');
    expect(await call('getState', { storeName: 'statestore', key: 'k' }, metadata)).toMatchObject({ etag: '' });
  });

  it('tells and sets metadata, and shuts down', async () => {
    await call('setMetadata', { key: 'a', value: 'b' });
    expect(await call('getMetadata', {})).toMatchObject({
      id: 'orders',
      extendedMetadata: { a: 'b' },
      registeredComponents: [{ name: 'lite' }, { name: 'statestore' }],
      actorRuntime: { runtimeStatus: 2, hostReady: true },
    });
    await call('shutdown', {});
    await expect.poll(() => api.shutdowns).toEqual([false]);
  });

  it('serves connections that others accepted', async () => {
    const door = createServer((socket) => api.grpc.inject(socket));
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    client.close();
    client = new DaprClient(`127.0.0.1:${(door.address() as AddressInfo).port}`, ChannelCredentials.createInsecure());
    expect(await call('getState', { storeName: 'statestore', key: 'k' })).toMatchObject({ etag: '' });
    door.close();
  });

  it('refuses a message above the limit', async () => {
    client.close();
    await start({ maxBodyBytes: 1000 });
    const error = await failure(call('saveState', { storeName: 'statestore', states: [item('k', 'x'.repeat(1001))] }));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  });
});
