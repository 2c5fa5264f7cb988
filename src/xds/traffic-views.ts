import type { Instance } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import { steering, type TrafficView, trafficView, viewKey } from '../model/traffic/view.js';

export interface TrafficViews {
  /** @returns what steers the calls of `instance`; the same object for as long, and for all callers, as it is the same */
  of(model: MeshModel, instance: Instance): TrafficView;
}

const NOTHING = new Map<string, TrafficView>();

/** Most meshes have one view for each namespace: views differ where policies have scopes, or sidecars bring their own resources. */
export function createTrafficViews(): TrafficViews {
  let current: MeshModel | undefined;
  let used = NOTHING;
  let before = NOTHING;
  let seen = new WeakMap<object, TrafficView>();
  return {
    of(model, instance) {
      if (model !== current) {
        current = model;
        if (used.size > 0) before = used;
        used = new Map();
        seen = new WeakMap();
      }
      const { policies } = model.resourcesFor(instance);
      const known = seen.get(policies);
      if (known?.namespace === instance.namespace) return known;
      const relevant = steering(policies);
      const key = viewKey(instance.namespace, relevant);
      const name = key === '' ? `${instance.namespace} ` : key;
      const view = used.get(name) ?? before.get(name) ?? trafficView(relevant, instance.namespace);
      used.set(name, view);
      seen.set(policies, view);
      return view;
    },
  };
}
