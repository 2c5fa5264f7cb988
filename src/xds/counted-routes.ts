import type { WithMetrics } from '../model/metrics/spec.js';
import type { Resources } from './layered-map.js';
import { named } from './named.js';
import { messageTypes } from './translate/any.js';
import { makeResource } from './translate/resource.js';
import { virtualClusters } from './translate/virtual-clusters.js';

/**
 * Route tables with what an app's Configuration wants to have counted (`metrics.http.pathMatching`). Kept for as long as the tables are, so
 * that apps with equal wishes share them.
 */
export function createCountedRoutes(): (routes: Resources, spec: WithMetrics) => Resources {
  const known = new WeakMap<Resources, Map<string, Resources>>();
  return (routes, spec) => {
    const clusters = virtualClusters(spec, 'api');
    if (clusters.length === 0) return routes;
    const key = JSON.stringify(clusters);
    const made = known.get(routes) ?? new Map<string, Resources>();
    known.set(routes, made);
    const counted = made.get(key) ?? withClusters(routes, clusters);
    made.set(key, counted);
    return counted;
  };
}

function withClusters(routes: Resources, clusters: ReturnType<typeof virtualClusters>): Resources {
  const { codec } = messageTypes.routeConfiguration;
  return named(
    [...routes.values()].map(({ name, bytes }) => {
      const table = codec.decode(bytes);
      for (const host of table.virtualHosts) host.virtualClusters = clusters;
      return makeResource(messageTypes.routeConfiguration, name, table);
    }),
  );
}
