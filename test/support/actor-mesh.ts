import { mkdtempSync, rmSync } from 'node:fs';
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { actorMethods } from '../../src/api/grpc/actors.js';
import { invokeMethods } from '../../src/api/grpc/invoke.js';
import { createGrpcServer } from '../../src/api/grpc/server.js';
import { actorRoutes } from '../../src/api/http/actors.js';
import { inboundGate, installGate } from '../../src/api/http/inbound.js';
import { invokeFallback } from '../../src/api/http/invoke.js';
import type { HttpRoute } from '../../src/api/http/route.js';
import { createHttpServer as createApiServer } from '../../src/api/http/server.js';
import { createActorApp } from '../../src/blocks/actors/app-http.js';
import { fetchActorConfig } from '../../src/blocks/actors/config.js';
import { type ActorRuntime, createActorRuntime } from '../../src/blocks/actors/runtime.js';
import { createActorState } from '../../src/blocks/actors/state.js';
import { createAppCallback } from '../../src/blocks/app/grpc-callback.js';
import { createHttpChannel } from '../../src/blocks/app/http-channel.js';
import { ComponentSlot } from '../../src/blocks/component-slot.js';
import type { ConfigApply, ConfigSource } from '../../src/blocks/config-source.js';
import { createRelay } from '../../src/blocks/invoke/relay.js';
import { createInvokeService } from '../../src/blocks/invoke/service.js';
import type { StateStore } from '../../src/blocks/state/contract.js';
import { inMemoryStore } from '../../src/components/state/in-memory.js';
import type { ActorPlacement } from '../../src/gen/weft/config/v1/config.js';
import { systemClock } from '../../src/lib/clock.js';
import { markDoor } from '../../src/lib/door-mark.js';
import { HEADERS } from '../../src/model/names.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { buildTable, changeOf, placementOf } from './actors.js';

export interface MeshHostOptions {
  readonly name: string;
  readonly appId: string;
  /** `http://…`, or `host:port` of a gRPC app. */
  readonly app: string;
  readonly apiToken?: string;
  readonly ttlEnabled?: boolean;
  /** Port of the API. Default: any. */
  readonly port?: number;
  /** Further routes, such as a stand-in for another block. */
  readonly routes?: readonly HttpRoute[];
}

export interface MeshHost {
  readonly name: string;
  readonly runtime: ActorRuntime;
  /** The service door. */
  readonly api: string;
  readonly grpc: string;
  /** What Envoy connects to. */
  readonly apiSocket: string;
}

/** Filter services without Envoy: a few lines of Node route as Envoy would, so that blocks and API are tested over real HTTP. */
export class ActorMesh {
  readonly store: StateStore = inMemoryStore(Date.now);
  readonly #dir = mkdtempSync(join(tmpdir(), 'weft-mesh-'));
  readonly #hosts = new Map<string, MeshHost & { readonly options: MeshHostOptions; place: ConfigApply<ActorPlacement> }>();
  readonly #endpoints = new Map<string, readonly string[]>();
  readonly #closers: (() => unknown)[] = [];
  #generation = 0;

  async add(options: MeshHostOptions): Promise<MeshHost> {
    const loop = join(this.#dir, `${options.name}.loop`);
    const apiSocket = join(this.#dir, `${options.name}.api`);
    await this.#listen(
      createHttpServer((request, response) => this.#route(options.name, request, response)),
      loop,
    );
    const loopback = createHttpChannel({ origin: 'http://localhost', socketPath: loop });
    const isGrpc = !options.app.startsWith('http');
    const app = createHttpChannel({ origin: isGrpc ? 'http://unused' : options.app });
    const callback = isGrpc ? createAppCallback({ address: options.app, tls: false }) : undefined;
    let place: ConfigApply<ActorPlacement> = async () => {};
    const runtime = createActorRuntime({
      instanceId: options.name,
      namespace: 'default',
      app: createActorApp({ http: app, turnTimeoutMs: 10_000, deactivateTimeoutMs: 1_000 }),
      config: { on: (_: string, apply: ConfigApply<ActorPlacement>) => (place = apply) } as unknown as ConfigSource,
      buildTable,
      clock: systemClock,
      logger: silentLogger,
      leaseValid: () => true,
    });
    const state = createActorState({
      appId: options.appId,
      store: () => this.store && { component: this.store, slot: new ComponentSlot(this.store) },
      isActive: runtime.isActive,
      ttlEnabled: () => options.ttlEnabled ?? false,
    });
    const relay = createRelay(loopback);
    const common = { maxBodyBytes: 1_000_000, logger: silentLogger, apiToken: options.apiToken };
    const routes = [...actorRoutes({ runtime, state, relay }), ...(options.routes ?? [])];
    const api = await createApiServer({ ...common, routes, fallback: invokeFallback(relay) });
    installGate(api.server, inboundGate({ ...common, runtime, relay, callback }));
    await api.listen(apiSocket);
    const methods = [actorMethods({ state, loopback }), invokeMethods(createInvokeService(loopback))];
    const grpc = createGrpcServer({ ...common, methods });
    const grpcSocket = join(this.#dir, `${options.name}.grpc`);
    await grpc.listen(grpcSocket);
    const door = createServer((socket) => void api.server.emit('connection', markDoor(socket)));
    await this.#listen(door, options.port ?? 0);
    if (!isGrpc) await runtime.host(await fetchActorConfig(app, options.appId));
    this.#closers.push(
      () => api.close(100),
      () => grpc.close(100),
      () => loopback.close(),
      () => app.close(),
      () => callback?.close(),
    );
    const host = {
      name: options.name,
      options,
      runtime,
      apiSocket,
      place,
      api: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
      grpc: `unix:${grpcSocket}`,
    };
    this.#hosts.set(options.name, host);
    return host;
  }

  /** Gives `type` these hosts, first to the hosts themselves, then to the routing, as the control plane does. */
  async place(type: string, hosts: readonly string[]): Promise<void> {
    const change = changeOf(placementOf(type, ++this.#generation, hosts));
    await Promise.all([...this.#hosts.values()].map((host) => host.place(change)));
    this.#endpoints.set(type, hosts);
  }

  /** Tells the hosts only: the routing lags behind. */
  async placeUnrouted(type: string, hosts: readonly string[]): Promise<void> {
    const change = changeOf(placementOf(type, ++this.#generation, hosts));
    await Promise.all([...this.#hosts.values()].map((host) => host.place(change)));
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await this.store.close();
    rmSync(this.#dir, { recursive: true });
  }

  #route(from: string, request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => this.#send({ from, url, request, response, body: Buffer.concat(chunks), attempt: 0 }));
  }

  #send(call: Call): void {
    const [, type, id] = /^\/v1\.0\/actors\/([^/]+)\/([^/]+)\/method\//.exec(call.url) ?? [];
    const hosts = type ? this.#endpoints.get(decodeURIComponent(type)) : undefined;
    const [, appId, rest] = /^\/v1\.0\/invoke\/([^/]+)\/method(\/.*)$/.exec(call.url) ?? [];
    const target = [...this.#hosts.values()].find(({ options }) => options.appId === appId);
    if (hosts && hosts.length > 0) {
      const owner = this.#hosts.get(buildTable(hosts).owner(`${type}/${id}`));
      const remote = owner?.name !== call.from;
      const headers = { [HEADERS.to]: 'actor', ...(remote ? { forwarded: 'for=test' } : {}) };
      this.#forward(call, { socketPath: owner?.apiSocket }, headers);
    } else if (target && rest) {
      const stamped = { 'dapr-caller-app-id': call.from, 'dapr-callee-app-id': target.options.appId };
      const { app } = target.options;
      if (app.startsWith('http')) this.#forward({ ...call, url: rest }, { host: '127.0.0.1', port: new URL(app).port }, stamped);
      else this.#forward({ ...call, url: rest }, { socketPath: target.apiSocket }, { ...stamped, [HEADERS.to]: 'app-callback' });
    } else this.#forward(call, { socketPath: this.#hosts.get(call.from)?.apiSocket }, {});
  }

  #forward(call: Call, where: object, added: Record<string, string>): void {
    const { request, response } = call;
    const { 'transfer-encoding': _, ...sent } = request.headers;
    const headers = { ...sent, 'content-length': String(call.body.length), ...added };
    const upstream = httpRequest({ ...where, method: request.method, path: call.url, headers }, (reply) => {
      if (reply.headers[HEADERS.actorMoved] !== undefined && call.attempt < 20) {
        reply.resume();
        setTimeout(() => this.#send({ ...call, attempt: call.attempt + 1 }), 20);
        return;
      }
      response.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    upstream.end(call.body);
  }

  async #listen(server: Server | NetServer, where: string | number): Promise<void> {
    await new Promise<void>((resolve) =>
      typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
    );
    this.#closers.push(() => {
      server.close();
      (server as Server).closeAllConnections?.();
    });
  }
}

interface Call {
  readonly from: string;
  readonly url: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly attempt: number;
}
