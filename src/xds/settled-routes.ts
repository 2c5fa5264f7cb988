import type { Instance } from '../model/instance.js';
import type { Resources } from './layered-map.js';
import { named } from './named.js';
import { messageTypes } from './translate/any.js';
import type { AppSettings } from './translate/app-settings.js';
import { makeResource } from './translate/resource.js';
import { sendApart } from './translate/traced-calls.js';
import { tracedShare, tracesApart } from './translate/traced-share.js';
import { virtualClusters } from './translate/virtual-clusters.js';

/**
 * The shared route tables as an app's Configuration settles them: what is counted (`metrics.http.pathMatching`), and which calls are recorded.
 * Kept for as long as the tables are, so that apps with equal settings share them.
 */
export function createSettledRoutes(): (routes: Resources, instance: Instance, settings: AppSettings) => Resources {
  const known = new WeakMap<Resources, Map<string, Resources>>();
  return (routes, instance, settings) => {
    const clusters = virtualClusters(settings.spec, 'api');
    const share = tracesApart(instance, settings) ? tracedShare(instance, settings) : 0;
    if (clusters.length === 0 && share === 0) return routes;
    const key = JSON.stringify([clusters, share]);
    const made = known.get(routes) ?? new Map<string, Resources>();
    known.set(routes, made);
    const settled = made.get(key) ?? settle(routes, clusters, share);
    made.set(key, settled);
    return settled;
  };
}

function settle(routes: Resources, clusters: ReturnType<typeof virtualClusters>, share: number): Resources {
  const { codec } = messageTypes.routeConfiguration;
  return named(
    [...routes.values()].map(({ name, bytes }) => {
      const table = codec.decode(bytes);
      for (const host of table.virtualHosts) host.virtualClusters = clusters;
      if (share > 0) sendApart(table, share);
      return makeResource(messageTypes.routeConfiguration, name, table);
    }),
  );
}
