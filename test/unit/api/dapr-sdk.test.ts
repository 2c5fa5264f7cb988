import { CommunicationProtocolEnum, DaprClient, LogLevel } from '@dapr/dapr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../support/api-servers.js';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe.each([
  ['HTTP', CommunicationProtocolEnum.HTTP],
  ['gRPC', CommunicationProtocolEnum.GRPC],
])('the official SDK over %s', (_name, communicationProtocol) => {
  let client: DaprClient;
  beforeAll(async () => {
    const port = communicationProtocol === CommunicationProtocolEnum.HTTP ? api.httpPort : api.grpcPort;
    client = new DaprClient({
      daprHost: '127.0.0.1',
      daprPort: String(port),
      communicationProtocol,
      logger: { level: LogLevel.Error },
    });
    await client.start();
  });
  afterAll(() => client.stop());

  it.each(['statestore', 'lite'])('keeps state in %s', async (store) => {
    await client.state.save(store, [
      { key: 'order', value: { id: 7, items: ['ü'] } },
      { key: 'other', value: 'text' },
    ]);
    expect(await client.state.get(store, 'order')).toEqual({ id: 7, items: ['ü'] });
    const bulk = await client.state.getBulk(store, ['order', 'other']);
    expect(bulk.map(({ key, data }) => [key, data])).toEqual([
      ['order', { id: 7, items: ['ü'] }],
      ['other', 'text'],
    ]);
    await client.state.transaction(store, [
      { operation: 'upsert', request: { key: 'order', value: 'eight' } },
      { operation: 'delete', request: { key: 'other' } },
    ]);
    expect(await client.state.get(store, 'order')).toBe('eight');
    await client.state.delete(store, 'order');
    expect(await client.state.get(store, 'order')).toBeFalsy();
  });

  it('reads and sets metadata', async () => {
    await client.metadata.set('team', 'blue');
    const metadata = await client.metadata.get();
    expect(metadata.id).toBe('orders');
    expect(metadata.components.map(({ name }) => name)).toEqual(['lite', 'statestore']);
  });
});
