import type { TrafficView } from '../model/traffic/view.js';
import type { Resource } from './resource.js';
import { externalClusterResources, externalRoutes } from './translate/external.js';
import type { AppRoutes } from './translate/route.js';

export interface ExternalServices {
  readonly clusters: readonly Resource[];
  readonly routes: readonly AppRoutes[];
}

/** @returns translates a view's external services once */
export function createExternalServices(): (view: TrafficView) => ExternalServices {
  const known = new WeakMap<TrafficView, ExternalServices>();
  return (view) => {
    const services = known.get(view) ?? {
      clusters: view.externals.flatMap(externalClusterResources),
      routes: view.externals.map(externalRoutes),
    };
    known.set(view, services);
    return services;
  };
}
