import { HealthStatus } from '../../gen/envoy/config/core/v3/health_check.js';
import type { LbEndpoint, LocalityLbEndpoints } from '../../gen/envoy/config/endpoint/v3/endpoint_components.js';
import type { ActorPlacement } from '../../gen/weft/config/v1/config.js';
import type { Instance } from '../../model/instance.js';
import { actorCluster, refCluster } from '../../model/names.js';
import type { AppRef } from '../../model/traffic/route.js';
import type { Resource } from '../resource.js';
import { messageTypes } from './any.js';
import { OWN_SOCKET } from './mtls.js';
import { makeResource } from './resource.js';
import { pipe, tcp } from './values.js';

/** @returns whether calls by name may reach `instance` */
export const isEndpoint = (instance: Instance): boolean =>
  instance.appReady && instance.appPort > 0 && instance.lease !== 'withdrawn' && !instance.proxySilent;

export interface Viewpoint {
  /** The instance whose Envoy this is for; its calls to its own app stay at home while its app is ready, as Dapr does it. */
  readonly own?: Instance;
  /** Instances in this zone come before all others. */
  readonly zone?: string | undefined;
}

/** Kubernetes' own label for where a node is. */
export const ZONE_LABEL = 'topology.kubernetes.io/zone';

/**
 * @param instances all instances of the app, in any order
 * @returns where an app's instances are, or those with the version that `app` names
 */
export function appEndpoints(app: AppRef, instances: readonly Instance[], { own, zone }: Viewpoint = {}): Resource {
  const ready = instances.filter((it) => isEndpoint(it) && (app.version === '' || it.labels.version === app.version));
  const self = ready.filter((instance) => instance.instanceId === own?.instanceId && instance.sockets);
  const others = ready.filter((instance) => !self.includes(instance)).sort((a, b) => byText(a.instanceId, b.instanceId));
  const isNear = (instance: Instance) => zone !== undefined && instance.labels[ZONE_LABEL] === zone;
  const remote = (instance: Instance) => endpoint(tcp(instance.address, instance.inboundPort), healthOf(instance));
  const levels = [
    self.map((instance) => ({ ...endpoint(pipe(instance.sockets?.self ?? ''), HealthStatus.HEALTHY), metadata: OWN_SOCKET })),
    others.filter(isNear).map(remote),
    others.filter((instance) => !isNear(instance)).map(remote),
  ].filter((level) => level.length > 0);
  return assignment(refCluster(app), levels);
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

/** An instance whose lease is lost may live: it gets traffic again when no healthy one is left, even where panic routing is off. */
const healthOf = (instance: Instance) => (instance.lease === 'lost' ? HealthStatus.DEGRADED : HealthStatus.HEALTHY);
/** One healthy instance, however few of all it is, counts for all of them: by itself Envoy would spread from 72 % on. */
const ONLY_THE_HEALTHY = { dropOverloads: [], overprovisioningFactor: 1_000_000, weightedPriorityHealth: false };

const endpoint = (address: ReturnType<typeof tcp>, healthStatus: HealthStatus): LbEndpoint => ({
  hostIdentifier: { $case: 'endpoint', value: { address, hostname: '', additionalAddresses: [] } },
  healthStatus,
});

function assignment(clusterName: string, levels: readonly LbEndpoint[][]): Resource {
  const endpoints: LocalityLbEndpoints[] = levels.map((lbEndpoints, priority) => ({ lbEndpoints, priority }));
  const degraded = levels.flat().some(({ healthStatus }) => healthStatus === HealthStatus.DEGRADED);
  const policy = degraded ? ONLY_THE_HEALTHY : undefined;
  return makeResource(messageTypes.endpoint, clusterName, { clusterName, endpoints, namedEndpoints: {}, policy });
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
