import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createH2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { findEnvoy } from '../../src/agent/envoy/binary.js';
import { bootstrapOf } from '../../src/agent/envoy/bootstrap.js';
import { type Envoy, startEnvoy } from '../../src/agent/envoy/process.js';
import { listenEarly } from '../../src/agent/identity/early-socket.js';
import { startSdsServer } from '../../src/agent/identity/sds-server.js';
import type { ProxyStatus } from '../../src/control/status.js';
import { sleep } from '../../src/lib/async.js';
import { resolveProfile } from '../../src/mesh/profile.js';
import type { Instance } from '../../src/model/instance.js';
import type { ActorPlacement, ResourceSet } from '../../src/model/mesh-model.js';
import type { MeshSpec } from '../../src/model/mesh-profile.js';
import { LISTENERS } from '../../src/model/names.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { Snapshot } from '../../src/xds/resource.js';
import { addAdsService } from '../../src/xds/server.js';
import { createSnapshotBuilder } from '../../src/xds/snapshot-builder.js';
import { instanceOf, modelOf, NO_RESOURCES, withSpecs } from './model.js';
import { freePort } from './ports.js';
import { resourcesOf } from './resources.js';
import { createRigIdentity, type RigIdentity } from './rig-identity.js';
import { serveEndpointSecrets } from './rig-secrets.js';
import { type ApiType, asking } from './xds-envoy.js';

/** Real Envoys that get exactly what the snapshot builder makes of a model, with plain Node servers in the place of apps and filter services. */
export interface EnvoyRig {
  /** Starts an app, its filter service's stand-in and its Envoy; resolves when its listeners serve. */
  add(options: SidecarOptions): Promise<RigSidecar>;
  /** Changes what the control plane knows; resolves when every Envoy has been sent it and has acknowledged. */
  update(change: {
    readonly instances?: (all: readonly Instance[]) => readonly Instance[];
    readonly placements?: readonly ActorPlacement[];
    /** By app id: what its Configuration says. */
    readonly specs?: Readonly<Record<string, unknown>>;
    /** Resources of all apps, as they stand in a file. */
    readonly resources?: string;
  }): Promise<void>;
  /** What `weft proxy-status` shows. */
  proxies(): readonly ProxyStatus[];
  /** Present with a trust domain. */
  readonly identity?: RigIdentity;
  close(): Promise<void>;
}

export interface RigOptions {
  /** What the Envoys trust outside of the mesh. */
  readonly caBundle?: string;
  /** How Envoys ask for their configuration. Default: delta. */
  readonly apiType?: ApiType;
  /** With it, sidecars speak mTLS. */
  readonly trustDomain?: string;
  /** The mesh switch, as it stands in a Configuration. */
  readonly mesh?: MeshSpec;
  /** By app id: what its Configuration says from the start. */
  readonly specs?: Readonly<Record<string, unknown>>;
  /** What every app gets. */
  readonly resources?: ResourceSet;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface SidecarOptions extends Partial<Instance> {
  readonly appId: string;
  /** Default: {@link echo}. */
  readonly app?: Handler;
  /** Answers what Envoy sends to the filter service. Default: {@link echo} with `from: service`. */
  readonly service?: Handler;
}

export interface RigSidecar {
  readonly instance: Instance;
  readonly envoy: Envoy;
  readonly appServer: HttpServer;
  /** `http://127.0.0.1:<port>` of the HTTP API. */
  readonly api: string;
}

/** What a server saw, as JSON. */
export interface Seen {
  readonly from: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** @returns a handler that answers with what it got */
export const echo =
  (from: string): Handler =>
  (request, response) => {
    const seen = { from, method: request.method, url: request.url, headers: request.headers };
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(seen));
    });
  };

/** gRPC without a library: one empty message back, and what was seen in a header. */
const echoGrpc = (from: string) => (stream: ServerHttp2Stream, headers: Record<string, unknown>) => {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'x-from': from, 'x-seen': JSON.stringify(headers) },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.resume();
  stream.on('end', () => stream.end(Buffer.alloc(5)));
};

export async function createRig(options: RigOptions = {}): Promise<EnvoyRig> {
  const binary = (await findEnvoy()).path;
  const dir = mkdtempSync(join(tmpdir(), 'weft-rig-'));
  const control = await startControl(options);
  const identity = options.trustDomain ? await createRigIdentity(options.trustDomain) : undefined;
  const closers: (() => Promise<void>)[] = [];

  return {
    ...(identity ? { identity } : {}),
    async add({ app, service, ...partial }) {
      const runDir = mkdtempSync(join(dir, 's'));
      const instance = await onLoopback(partial, runDir);
      const grpcApp = instance.appProtocol === 'grpc';
      const servers = [
        grpcApp ? h2(echoGrpc(instance.instanceId)) : createServer(app ?? echo(instance.instanceId)),
        createServer(service ?? echo(`service of ${instance.instanceId}`)),
        h2(echoGrpc(`service of ${instance.instanceId}`)),
      ] as const;
      await Promise.all([
        listen(servers[0], instance.appPort),
        listen(servers[1], instance.sockets?.serviceHttp),
        listen(servers[2], instance.sockets?.serviceGrpc),
      ]);
      control.set((all) => [...all, instance]);
      const node = { role: 'envoy', ...instance } as const;
      const adminSocket = join(runDir, 'admin.sock');
      const sdsSocket = join(runDir, 'sds.sock');
      const sds = startSdsServer(await listenEarly(sdsSocket), silentLogger);
      await identity?.serve(instance, sds);
      const endpoints = serveEndpointSecrets(sds);
      const stopFollowing = await control.follow(instance, endpoints.apply);
      const controlPlane = `127.0.0.1:${control.port}`;
      // The rig's control plane is plain, also where its sidecars speak mTLS.
      const plain = bootstrapOf({ node, controlPlane, adminSocket, sdsSocket, mtls: false, caBundle: options.caBundle });
      const envoy = startEnvoy({
        binary,
        bootstrap: asking(plain, options.apiType ?? 'DELTA_GRPC'),
        bootstrapPath: join(runDir, 'envoy.json'),
        adminSocket,
        sockets: [instance.sockets?.loopback ?? '', instance.sockets?.self ?? ''],
        concurrency: 1,
        drainSeconds: 1,
        logLevel: (process.env.RIG_LOG as 'debug') || 'error',
        logger: process.env.RIG_LOG ? { ...silentLogger, ...consoleLogger, child: () => consoleLogger } : silentLogger,
      });
      closers.push(async () => {
        await envoy.stop();
        stopFollowing();
        endpoints.close();
        sds.close();
        for (const server of servers) closeServer(server);
      });
      await Promise.race([listening(envoy, instance), envoy.failed]);
      return { instance, envoy, appServer: servers[0] as HttpServer, api: `http://127.0.0.1:${instance.httpPort}` };
    },
    async update({ instances, placements, specs, resources }) {
      if (resources !== undefined) await control.load(resources);
      control.set(instances ?? ((all) => all), placements, specs);
      if (!(await control.acked())) throw new Error('an Envoy has not acknowledged the change within 5 s');
      // The acknowledgement of endpoints comes before the routes of the same change.
      await sleep(100);
    },
    proxies: control.proxies,
    async close() {
      await Promise.all(closers.map((close) => close()));
      control.close();
      identity?.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const say = (message: string, fields?: Record<string, unknown>) => console.error(message, fields ?? '');
const consoleLogger = { debug: () => {}, info: say, warn: say, error: say, child: () => consoleLogger };

async function startControl({ trustDomain, mesh, specs: firstSpecs = {}, resources: firstResources = NO_RESOURCES }: RigOptions) {
  const builder = createSnapshotBuilder();
  let instances: readonly Instance[] = [];
  let placements: readonly ActorPlacement[] = [];
  let specs = firstSpecs;
  let resources = firstResources;
  const profile = resolveProfile(mesh, { trustDomain });
  const make = () => withSpecs(modelOf(instances, placements, resources, profile), specs);
  let model = make();
  const listeners = new Set<() => void>();
  const server = new Server();
  const ads = addAdsService(server, {
    source: {
      snapshot: (node) => builder.build(model, node),
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      settling: () => false,
    },
    logger: process.env.RIG_LOG ? consoleLogger : silentLogger,
    metrics: { pushed: () => {}, nacked: () => {}, streams: () => {}, slowClientCut: () => {} },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    set(
      change: (all: readonly Instance[]) => readonly Instance[],
      types?: readonly ActorPlacement[],
      spec?: RigOptions['specs'],
    ) {
      instances = change(instances);
      placements = types ?? placements;
      specs = spec ?? specs;
      model = make();
      for (const listener of listeners) listener();
    },
    /** Calls `apply` with what the instance's filter service would get, now and after every change. */
    async follow(instance: Instance, apply: (snapshot: Snapshot | undefined) => Promise<void>) {
      const tell = () => apply(builder.build(model, { role: 'service', ...instance }));
      const listener = () => void tell();
      listeners.add(listener);
      await tell();
      return () => void listeners.delete(listener);
    },
    async load(text: string) {
      resources = await resourcesOf(text);
    },
    proxies: () => ads.status.proxies(),
    acked: () => ads.endpointsAcked(5000),
    close() {
      ads.close();
      server.forceShutdown();
    },
  };
}

/** Everything on loopback, on ports of its own. */
async function onLoopback(partial: Partial<Instance> & { readonly appId: string }, runDir: string): Promise<Instance> {
  const [inboundPort, appPort, httpPort, grpcPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  return instanceOf({ address: '127.0.0.1', inboundPort, appPort, httpPort, grpcPort, ...partial }, runDir);
}

function h2(onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void): Http2Server {
  const server = createH2Server();
  server.on('stream', onStream);
  return server;
}

function listen(server: HttpServer | Http2Server, where: number | string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    if (typeof where === 'number') server.listen(where, '127.0.0.1', () => resolve());
    else server.listen(where, () => resolve());
  });
}

function closeServer(server: HttpServer | Http2Server): void {
  server.close();
  if ('closeAllConnections' in server) server.closeAllConnections();
}

async function listening(envoy: Envoy, instance: Instance): Promise<void> {
  const wanted = instance.apiDoor === 'envoy' ? LISTENERS.apiHttp : LISTENERS.loopback;
  for (let i = 0; i < 200; i += 1) {
    const listed = (await envoy.admin.isLive()) && (await envoy.admin.call('GET', '/listeners')).body.includes(`${wanted}::`);
    if (listed && (await envoy.admin.call('GET', '/config_dump?resource=dynamic_route_configs')).body.includes('outbound'))
      return;
    await sleep(50);
  }
  throw new Error(`the Envoy of ${instance.instanceId} has not opened its listeners within 10 s`);
}
