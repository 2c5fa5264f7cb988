import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEnvoy } from '../../src/agent/envoy/binary.js';
import { bootstrapOf } from '../../src/agent/envoy/bootstrap.js';
import { type Envoy, startEnvoy } from '../../src/agent/envoy/process.js';
import { Cluster, Cluster_DiscoveryType } from '../../src/gen/envoy/config/cluster/v3/cluster.js';
import { ClusterLoadAssignment } from '../../src/gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../../src/gen/envoy/config/listener/v3/listener.js';
import { RouteConfiguration } from '../../src/gen/envoy/config/route/v3/route.js';
import { HttpConnectionManager } from '../../src/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { NodeIdentity } from '../../src/model/names.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { Resource, Snapshot } from '../../src/xds/resource.js';
import { resourceTypes, type TypeUrl } from '../../src/xds/resource-types.js';
import { messageTypes, pack } from '../../src/xds/translate/any.js';
import { makeResource } from '../../src/xds/translate/resource.js';
import { ads, duration, tcp } from '../../src/xds/translate/values.js';

/** An HTTP server that answers with its own name. */
export async function startUpstream(name: string): Promise<{ readonly port: number; close(): void }> {
  const server: Server = createServer((_, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface TinyMesh {
  /** Clusters by name with the port that each leads to. */
  readonly clusters: Readonly<Record<string, number>>;
  /** The cluster that all requests go to. */
  readonly target: string;
  readonly listenerPort: number;
  /** Changes every cluster without changing its endpoints. */
  readonly connectTimeoutMs?: number;
  /** Added as they are. */
  readonly extra?: readonly (readonly [TypeUrl, Resource])[];
}

/** @returns one listener with one route to one of some EDS clusters */
export function tinySnapshot(mesh: TinyMesh): Snapshot {
  const of = (url: TypeUrl, made: readonly Resource[]): [TypeUrl, ReadonlyMap<string, Resource>] => {
    const extra = (mesh.extra ?? []).filter(([type]) => type === url).map(([, resource]) => resource);
    return [url, new Map([...made, ...extra].map((resource) => [resource.name, resource]))];
  };
  const entries = Object.entries(mesh.clusters);
  return new Map([
    of(
      resourceTypes.cluster,
      entries.map(([name]) => clusterResource(name, mesh.connectTimeoutMs ?? 1000)),
    ),
    of(
      resourceTypes.endpoint,
      entries.map(([name, port]) => endpointResource(name, port)),
    ),
    of(resourceTypes.listener, [listenerResource(mesh.listenerPort)]),
    of(resourceTypes.route, [routeResource(mesh.target)]),
  ]);
}

export function clusterResource(name: string, connectTimeoutMs: number): Resource {
  const message = Cluster.fromPartial({
    name,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    connectTimeout: duration(connectTimeoutMs),
  });
  return makeResource(messageTypes.cluster, name, message);
}

function endpointResource(clusterName: string, port: number): Resource {
  const hostIdentifier = { $case: 'endpoint', value: { address: tcp('127.0.0.1', port) } } as const;
  const message = ClusterLoadAssignment.fromPartial({ clusterName, endpoints: [{ lbEndpoints: [{ hostIdentifier }] }] });
  return makeResource(messageTypes.endpoint, clusterName, message);
}

function listenerResource(port: number): Resource {
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: 'tiny',
    routeSpecifier: { $case: 'rds', value: { configSource: ads, routeConfigName: 'routes' } },
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: {
          $case: 'typedConfig',
          value: pack(messageTypes.router, messageTypes.router.codec.decode(new Uint8Array())),
        },
      },
    ],
  });
  const filter = {
    name: 'hcm',
    configType: { $case: 'typedConfig', value: pack(messageTypes.connectionManager, manager) },
  } as const;
  const message = Listener.fromPartial({ name: 'tiny', address: tcp('127.0.0.1', port), filterChains: [{ filters: [filter] }] });
  return makeResource(messageTypes.listener, 'tiny', message);
}

function routeResource(cluster: string): Resource {
  const message = RouteConfiguration.fromPartial({
    name: 'routes',
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { pathSpecifier: { $case: 'prefix', value: '/' } },
            action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: cluster } } },
          },
        ],
      },
    ],
  });
  return makeResource(messageTypes.routeConfiguration, 'routes', message);
}

/** How an Envoy asks for its configuration: only what changed, or all of it each time (state of the world). */
export type ApiType = 'DELTA_GRPC' | 'GRPC';

/** @returns the bootstrap with another way to ask */
export function asking(bootstrap: Readonly<Record<string, unknown>>, apiType: ApiType): Readonly<Record<string, unknown>> {
  const dynamic = bootstrap.dynamic_resources as { readonly ads_config: object };
  return { ...bootstrap, dynamic_resources: { ...dynamic, ads_config: { ...dynamic.ads_config, api_type: apiType } } };
}

/** A real Envoy on the ADS of the control plane at `address`. */
export async function startRealEnvoy(
  node: NodeIdentity,
  address: string,
  apiType: ApiType = 'DELTA_GRPC',
): Promise<Envoy & { close(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const adminSocket = join(dir, 'admin.sock');
  const envoy = startEnvoy({
    binary: (await findEnvoy()).path,
    bootstrap: asking(
      bootstrapOf({ node, controlPlane: address, adminSocket, sdsSocket: '/nowhere/sds.sock', mtls: false }),
      apiType,
    ),
    bootstrapPath: join(dir, 'envoy.json'),
    adminSocket,
    sockets: [],
    concurrency: 1,
    drainSeconds: 1,
    logLevel: 'error',
    logger: silentLogger,
  });
  return {
    ...envoy,
    async close() {
      await envoy.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** @returns status and body of one GET on a connection of its own */
export function get(port: number): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/', agent: false, timeout: 2000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', (error) => resolve(`error ${error.message}`));
    outgoing.end();
  });
}
