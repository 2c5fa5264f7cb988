import { HealthStatus } from '../../gen/envoy/config/core/v3/health_check.js';
import type { LbEndpoint, LocalityLbEndpoints } from '../../gen/envoy/config/endpoint/v3/endpoint_components.js';
import type { ActorPlacement } from '../../gen/weft/config/v1/config.js';
import type { Instance } from '../../model/instance.js';
import { actorCluster, appCluster } from '../../model/names.js';
import type { Resource } from '../resource.js';
import { messageTypes } from './any.js';
import { OWN_SOCKET } from './mtls.js';
import { makeResource } from './resource.js';
import { pipe, tcp } from './values.js';

/** @returns whether calls by name may reach `instance` */
export const isEndpoint = (instance: Instance): boolean =>
  instance.appReady && instance.appPort > 0 && instance.lease !== 'withdrawn';

/**
 * @param instances all instances of the app, in any order
 * @param own the instance whose Envoy this is for; its calls to its own app stay at home while its app is ready, as Dapr does it
 * @returns where an app's instances are
 */
export function appEndpoints(
  app: { readonly namespace: string; readonly appId: string },
  instances: readonly Instance[],
  own?: Instance,
): Resource {
  const ready = instances.filter(isEndpoint);
  const self = ready.filter((instance) => instance.instanceId === own?.instanceId && instance.sockets);
  const others = ready.filter((instance) => !self.includes(instance)).sort((a, b) => byText(a.instanceId, b.instanceId));
  const levels = [
    self.map((instance) => ({ ...endpoint(pipe(instance.sockets?.self ?? ''), HealthStatus.HEALTHY), metadata: OWN_SOCKET })),
    others.map((instance) => endpoint(tcp(instance.address, instance.inboundPort), healthOf(instance))),
  ].filter((level) => level.length > 0);
  return assignment(appCluster(app.namespace, app.appId), levels);
}

/**
 * Hosts are exactly those of the placement, healthy or not: Envoy must choose the owner that the filter services compute.
 * @param own the instance whose Envoy this is for: calls to its own actors go to its filter service at once
 */
export function actorEndpoints(placement: ActorPlacement, own?: Instance): Resource {
  const hosts = [...placement.hosts].sort((a, b) => byText(a.instanceId, b.instanceId));
  const endpoints = hosts.map((host) => {
    const isOwn = own?.sockets !== undefined && host.instanceId === own.instanceId;
    const address = isOwn ? pipe(own.sockets?.serviceHttp ?? '') : tcp(host.address, host.port);
    return { ...endpoint(address, HealthStatus.HEALTHY), metadata: hashKey(host.instanceId, isOwn) };
  });
  return assignment(actorCluster(placement.namespace, placement.actorType), endpoints.length > 0 ? [endpoints] : []);
}

// Envoy hashes this instead of the address, so that all processes build the same table whatever they call the host.
const hashKey = (key: string, isOwn: boolean) => ({
  filterMetadata: { 'envoy.lb': { hash_key: key }, ...(isOwn ? OWN_SOCKET.filterMetadata : {}) },
  typedFilterMetadata: {},
});

/** An instance whose lease is lost may live: it gets traffic again when no healthy one is left. */
const healthOf = (instance: Instance) => (instance.lease === 'lost' ? HealthStatus.UNHEALTHY : HealthStatus.HEALTHY);

const endpoint = (address: ReturnType<typeof tcp>, healthStatus: HealthStatus): LbEndpoint => ({
  hostIdentifier: { $case: 'endpoint', value: { address, hostname: '', additionalAddresses: [] } },
  healthStatus,
});

function assignment(clusterName: string, levels: readonly LbEndpoint[][]): Resource {
  const endpoints: LocalityLbEndpoints[] = levels.map((lbEndpoints, priority) => ({ lbEndpoints, priority }));
  return makeResource(messageTypes.endpoint, clusterName, { clusterName, endpoints, namedEndpoints: {} });
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
