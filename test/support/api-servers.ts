import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metaMethods } from '../../src/api/grpc/meta.js';
import { type ApiGrpcServer, createGrpcServer } from '../../src/api/grpc/server.js';
import { stateMethods } from '../../src/api/grpc/state.js';
import { metaRoutes } from '../../src/api/http/meta.js';
import type { HttpRoute } from '../../src/api/http/route.js';
import { type ApiHttpServer, createHttpServer } from '../../src/api/http/server.js';
import { stateRoutes } from '../../src/api/http/state.js';
import { type ComponentHost, createComponentHost } from '../../src/blocks/component-host.js';
import type { Runtime } from '../../src/blocks/runtime.js';
import { createStateService } from '../../src/blocks/state/service.js';
import { componentTypes } from '../../src/components/index.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { componentDeps } from './component-deps.js';
import { component, fakeConfigSource } from './config-source.js';
import { freePort } from './ports.js';

export interface TestApi {
  readonly http: ApiHttpServer;
  readonly grpc: ApiGrpcServer;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly host: ComponentHost;
  /** What `shutdown` was called with. */
  readonly shutdowns: boolean[];
  readonly url: (path: string) => string;
  close(): Promise<void>;
}

export interface TestApiOptions {
  readonly apiToken?: string;
  readonly maxBodyBytes?: number;
  readonly routes?: readonly HttpRoute[];
  readonly notReady?: () => string | undefined;
}

/** Real API servers on loopback with an in-memory store `statestore` and an SQLite store `lite`, as a sidecar composes them. */
export async function startApi(options: TestApiOptions = {}): Promise<TestApi> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weft-api-'));
  const source = fakeConfigSource();
  const host = createComponentHost({ source, types: componentTypes, deps: componentDeps(dataDir, 'orders') });
  await source.push('component', {
    'default/statestore': component('statestore', 'state.in-memory'),
    'default/lite': component('lite', 'state.sqlite'),
  });
  const shutdowns: boolean[] = [];
  const runtime = fakeRuntime(host, shutdowns, options.notReady);
  const service = createStateService({ host, appId: 'orders' });
  const common = { apiToken: options.apiToken, maxBodyBytes: options.maxBodyBytes ?? 4 * 1024 * 1024, logger: silentLogger };
  const http = await createHttpServer({
    ...common,
    routes: [...stateRoutes(service), ...metaRoutes(runtime), ...(options.routes ?? [])],
    fallback: (request, reply) =>
      void reply
        .code(404)
        .send({ fallback: request.originalUrl, method: request.method, token: request.headers['dapr-api-token'] }),
  });
  const grpc = createGrpcServer({ ...common, methods: [stateMethods(service), metaMethods(runtime)] });
  const grpcPort = await freePort();
  await Promise.all([http.listen({ host: '127.0.0.1', port: 0 }), grpc.listen(`127.0.0.1:${grpcPort}`)]);
  const httpPort = (http.server.address() as AddressInfo).port;
  return {
    http,
    grpc,
    httpPort,
    grpcPort,
    host,
    shutdowns,
    url: (path) => `http://127.0.0.1:${httpPort}${path}`,
    async close() {
      await Promise.all([http.close(500), grpc.close(500)]);
      await host.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function fakeRuntime(host: ComponentHost, shutdowns: boolean[], notReady: () => string | undefined = () => undefined): Runtime {
  const extended: Record<string, string> = { daprRuntimeVersion: '1.18.3' };
  return {
    appId: 'orders',
    notReady,
    outboundNotReady: notReady,
    metadata: () => ({
      id: 'orders',
      runtimeVersion: '1.18.3',
      enabledFeatures: [],
      components: host.list(),
      extended,
      subscriptions: [
        {
          pubsubname: 'pubsub',
          topic: 't',
          metadata: {},
          rules: [{ match: '', path: '/t' }],
          deadLetterTopic: '',
          type: 'DECLARATIVE',
        },
      ],
      httpEndpoints: [],
      appConnectionProperties: { port: 6001, protocol: 'http', channelAddress: '127.0.0.1' },
      actorRuntime: {
        runtimeStatus: 'RUNNING',
        activeActors: [{ type: 'Cart', count: 2 }],
        hostReady: true,
        placement: 'connected',
      },
    }),
    setMetadata(key, value) {
      extended[key] = value;
    },
    shutdown: (force) => void shutdowns.push(force),
  };
}
