import type { ActorPlacement, AppConfiguration } from '../gen/weft/config/v1/config.js';
import { appKey, type Instance } from '../model/instance.js';
import type { MeshModel, ResourceSet } from '../model/mesh-model.js';
import type { MeshProfile } from '../model/mesh-profile.js';
import { isForAllCallers } from '../model/traffic/document.js';

export interface MeshModelInput {
  readonly instances: readonly Instance[];
  readonly placements: readonly ActorPlacement[];
  readonly setFor: (instance: Instance) => ResourceSet;
  readonly profile: MeshProfile;
}

/** What is made of a set, by app. Sets never change, so this outlives the models: an unrelated change makes nothing anew. */
const madeResources = new WeakMap<ResourceSet, Map<string, ResourceSet>>();
const madeConfigurations = new WeakMap<ResourceSet, Map<string, AppConfiguration>>();

/** @returns the model as it is now. Values are made on demand and once: instances of one app with one resource set share them. */
export function buildMeshModel({ instances, placements, setFor, profile }: MeshModelInput): MeshModel {
  return {
    instances,
    placements,
    profile,
    resourcesFor(instance) {
      const set = setFor(instance);
      return memo(madeResources, set, appKey(instance), () => scopedTo(instance, set));
    },
    configurationFor(instance) {
      const set = setFor(instance);
      return memo(madeConfigurations, set, appKey(instance), () => configurationOf(instance, set));
    },
  };
}

function memo<T>(cache: WeakMap<ResourceSet, Map<string, T>>, set: ResourceSet, key: string, make: () => T): T {
  const ofSet = cache.get(set) ?? new Map<string, T>();
  cache.set(set, ofSet);
  const known = ofSet.get(key);
  if (known !== undefined) return known;
  const made = make();
  ofSet.set(key, made);
  return made;
}

/** A resource without a namespace is for all of them, one without scopes for all apps. */
function scopedTo(instance: Instance, set: ResourceSet): ResourceSet {
  const inNamespace = ({ namespace }: { readonly namespace: string }) => namespace === '' || namespace === instance.namespace;
  const inScope = ({ scopes }: { readonly scopes: readonly string[] }) => scopes.length === 0 || scopes.includes(instance.appId);
  return {
    components: set.components.filter((component) => inNamespace(component) && inScope(component)),
    subscriptions: set.subscriptions.filter((subscription) => inNamespace(subscription) && inScope(subscription)),
    configurations: set.configurations,
    // A route of an app's namespace is for callers everywhere; which ones count for whom is told by model/traffic.
    policies: set.policies.filter((policy) => (inNamespace(policy) || isForAllCallers(policy)) && inScope(policy)),
  };
}

function configurationOf(instance: Instance, set: ResourceSet): AppConfiguration {
  const spec = set.configurations.reduce<unknown>((merged, { spec }) => mergeSpecs(merged, spec), {});
  const resiliencyNames = scopedTo(instance, set)
    .policies.filter(({ kind }) => kind === 'Resiliency')
    .map(({ name }) => name);
  return {
    appId: instance.appId,
    namespace: instance.namespace,
    specJson: JSON.stringify(spec),
    resiliencyNames,
    ownTracing: false,
    callPolicies: [],
  };
}

/** @returns `later` laid over `earlier`: objects are merged key by key, everything else is replaced */
export function mergeSpecs(earlier: unknown, later: unknown): unknown {
  if (!isObject(earlier) || !isObject(later)) return later;
  const merged: Record<string, unknown> = { ...earlier };
  for (const [key, value] of Object.entries(later)) merged[key] = key in earlier ? mergeSpecs(earlier[key], value) : value;
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
