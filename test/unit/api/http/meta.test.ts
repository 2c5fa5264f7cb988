import { afterEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../../support/api-servers.js';

let api: TestApi;
afterEach(() => api.close());

describe('health, metadata and shutdown over HTTP', () => {
  it('is healthy with an empty 204, and not for another app id', async () => {
    api = await startApi();
    for (const path of ['/v1.0/healthz', '/v1.0/healthz?appid=orders', '/v1.0/healthz/outbound'])
      expect((await fetch(api.url(path))).status).toBe(204);
    const other = await fetch(api.url('/v1.0/healthz?appid=other'));
    expect(other.status).toBe(500);
    expect(await other.json()).toMatchObject({ errorCode: 'ERR_HEALTH_APPID_NOT_MATCH' });
  });

  it('says why it is not ready', async () => {
    api = await startApi({ notReady: () => 'waiting for the app on port 6001' });
    const response = await fetch(api.url('/v1.0/healthz'));
    expect([response.status, await response.json()]).toEqual([
      500,
      { errorCode: 'ERR_HEALTH_NOT_READY', message: 'dapr is not ready: waiting for the app on port 6001' },
    ]);
    expect(await (await fetch(api.url('/v1.0/healthz/outbound'))).json()).toMatchObject({
      errorCode: 'ERR_OUTBOUND_HEALTH_NOT_READY',
    });
  });

  it("tells what is loaded under Dapr's names, and leaves out what is empty", async () => {
    api = await startApi();
    await fetch(api.url('/v1.0/metadata/appCommand'), { method: 'PUT', body: 'python3 app.py' });
    const metadata = await (await fetch(api.url('/v1.0/metadata'))).json();
    expect(metadata).toEqual({
      id: 'orders',
      runtimeVersion: '1.18.3',
      actors: [{ type: 'Cart', count: 2 }],
      components: [
        { name: 'lite', type: 'state.sqlite', version: 'v1', capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL', 'ACTOR'] },
        {
          name: 'statestore',
          type: 'state.in-memory',
          version: 'v1',
          capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL', 'DELETE_WITH_PREFIX', 'ACTOR'],
        },
      ],
      extended: { daprRuntimeVersion: '1.18.3', appCommand: 'python3 app.py' },
      subscriptions: [{ pubsubname: 'pubsub', topic: 't', rules: [{ match: '', path: '/t' }], type: 'DECLARATIVE' }],
      appConnectionProperties: { port: 6001, protocol: 'http', channelAddress: '127.0.0.1' },
      actorRuntime: {
        runtimeStatus: 'RUNNING',
        activeActors: [{ type: 'Cart', count: 2 }],
        hostReady: true,
        placement: 'connected',
      },
    });
  });

  it('answers before it shuts down, and passes on the force', async () => {
    api = await startApi();
    expect((await fetch(api.url('/v1.0/shutdown'), { method: 'POST' })).status).toBe(204);
    await fetch(api.url('/v1.0/shutdown'), { method: 'POST', headers: { 'dapr-force-shutdown': 'true' } });
    expect(api.shutdowns).toEqual([false, true]);
  });
});
