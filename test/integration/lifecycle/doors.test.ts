import { Agent, request } from 'node:http';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaprClient } from '../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { createMesh, type Mesh, type SidecarProcess } from '../../support/mesh.js';

const same = (bytes: Buffer): Buffer => bytes;

/** A gRPC app with one method of its own. */
async function grpcApp(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = new Server();
  const place = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
    const caller = String(call.metadata.get('dapr-caller-app-id')[0]);
    done(null, Buffer.from(`placed ${call.request} for ${caller}`));
  };
  server.register('/shop.v1.Orders/Place', place, same, same, 'unary');
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { port, server };
}

describe.each(['envoy', 'service'] as const)('the %s door', (door) => {
  let mesh: Mesh;
  let caller: SidecarProcess;
  let shop: Awaited<ReturnType<typeof grpcApp>>;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  beforeAll(async () => {
    mesh = await createMesh();
    shop = await grpcApp();
    const appPort = await mesh.app((incoming, response) => {
      response.setHeader('x-caller', String(incoming.headers['dapr-caller-app-id']));
      response.end(`${incoming.method} ${incoming.url}`);
    });
    caller = await mesh.sidecar({ appId: 'caller', door });
    const orders = await mesh.sidecar({ appId: 'orders', appPort, door });
    const grpc = await mesh.sidecar({ appId: 'shop', appPort: shop.port, door, args: ['--app-protocol', 'grpc'] });
    await Promise.all([caller.ready(), orders.ready(), grpc.ready()]);
  });
  afterAll(async () => {
    agent.destroy();
    shop.server.forceShutdown();
    await mesh.close();
  });

  /** One request on the one connection of `agent`. */
  const call = (method: string, path: string, headers: Record<string, string> = {}, body = '') =>
    new Promise<string>((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port: caller.httpPort, agent, method, path, headers }, (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  it.each(['/v1.0/invoke/orders/method/a?b=c', '/v1.0/state/statestore/key'])(
    'serves every kind of call on one connection that began with %s',
    async (first) => {
      agent.destroy();
      await call('GET', first);
      const json = { 'content-type': 'application/json' };
      expect(await call('GET', '/v1.0/invoke/orders/method/a?b=c')).toBe('200 GET /a?b=c');
      expect(await call('POST', '/v1.0/state/statestore', json, '[{"key":"k","value":{"n":1}}]')).toBe('204 ');
      expect(await call('GET', '/v1.0/state/statestore/k')).toBe('200 {"n":1}');
      expect(await call('GET', '/any/path?x=1', { 'dapr-app-id': 'orders' })).toBe('200 GET /any/path?x=1');
      expect(await call('PUT', '/v1.0/invoke/orders.default/method/deep/er', {}, 'body')).toBe('200 PUT /deep/er');
      const basic = { authorization: `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}` };
      expect(await call('GET', '/basic', basic)).toBe('200 GET /basic');
      expect(await call('GET', '/no/target')).toMatch(/^404 .*"errorCode":"ERR_DIRECT_INVOKE"/);
      expect(await call('GET', '/v1.0/invoke/nobody/method/x')).toMatch(/^500 .*failed to invoke, id: nobody, err: /);
      expect(await call('GET', '/v1.0/healthz')).toBe('204 ');
    },
  );

  it('serves Dapr and proxied services on one gRPC connection, whichever is called first', async () => {
    const address = `127.0.0.1:${caller.grpcPort}`;
    const metadata = new Metadata();
    metadata.set('dapr-app-id', 'shop');
    for (const order of ['dapr first', 'proxied first']) {
      const channelOptions = { 'grpc.use_local_subchannel_pool': 1 };
      const client = new Client(address, credentials.createInsecure(), channelOptions);
      const dapr = new DaprClient(address, credentials.createInsecure(), { channelOverride: client.getChannel() });
      const getState = () =>
        new Promise<string>((resolve, reject) => {
          dapr.getState({ storeName: 'statestore', key: 'none', consistency: 0, metadata: {} }, (error, reply) =>
            error ? reject(error) : resolve(reply.data.toString()),
          );
        });
      const place = (path = '/shop.v1.Orders/Place', sent = metadata) =>
        new Promise<string>((resolve, reject) => {
          client.makeUnaryRequest(path, same, same, Buffer.from('tea'), sent, (error, reply) =>
            error ? reject(error) : resolve(String(reply)),
          );
        });
      if (order === 'dapr first') await getState();
      expect(await place()).toBe('placed tea for caller');
      expect(await getState()).toBe('');
      expect(await place()).toBe('placed tea for caller');
      await expect(place('/shop.v1.Orders/Unknown')).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
      await expect(place('/shop.v1.Orders/Place', new Metadata())).rejects.toMatchObject({ code: status.UNKNOWN });
      client.close();
    }
  });
});
