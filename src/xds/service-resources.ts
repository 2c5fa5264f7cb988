import type { CallPolicies, HttpEndpoint } from '../gen/weft/config/v1/config.js';
import { endpointSecrets } from '../model/external/endpoint-secrets.js';
import type { Instance } from '../model/instance.js';
import type {
  ActorPlacement,
  ActorResiliency,
  Component,
  ComponentResiliency,
  MeshModel,
  ResourceSet,
  Subscription,
} from '../model/mesh-model.js';
import { actorResiliency } from '../model/traffic/actor-resiliency.js';
import { callPolicies } from '../model/traffic/call-policies.js';
import { componentResiliency } from '../model/traffic/component-resiliency.js';
import type { Resources } from './layered-map.js';
import { named, stable } from './named.js';
import type { Resource, Snapshot } from './resource.js';
import { resourceTypes, type TypeUrl } from './resource-types.js';
import { messageTypes } from './translate/any.js';
import { makeResource, redactComponent, redactConfiguration, redactEndpoint } from './translate/resource.js';

export interface ServiceBuilder {
  /** @returns what the filter service of `instance` may ask for: its app's configuration and resources, its namespace's placements */
  build(model: MeshModel, instance: Instance, before: Snapshot | undefined): Snapshot;
}

/** @returns a builder that encodes a resource once, however many apps it is for */
export function createServiceBuilder(): ServiceBuilder {
  const component = once((item: Component, name) => makeResource(messageTypes.component, name, item, redactComponent));
  const externalEndpoint = once((item: HttpEndpoint, name) =>
    makeResource(messageTypes.externalEndpoint, name, item, redactEndpoint),
  );
  const subscription = once((item: Subscription, name) => makeResource(messageTypes.subscription, name, item));
  const resiliency = once((item: ComponentResiliency, name) => makeResource(messageTypes.resiliency, name, item));
  const actorPolicies = once((item: ActorResiliency, name) => makeResource(messageTypes.actorResiliency, name, item));
  const placement = once((item: ActorPlacement, name) => makeResource(messageTypes.placement, name, item));
  return {
    build(model, instance, before) {
      const { namespace, appId } = instance;
      const set = model.resourcesFor(instance);
      // The profile may change while the files stay.
      const configuration = {
        ...model.configurationFor(instance),
        ownTracing: model.profile.tracing === 'own',
        callPolicies: [...callPoliciesOf(set)],
      };
      const inNamespace = (item: { readonly namespace: string; readonly name: string }) =>
        `${item.namespace || namespace}/${item.name}`;
      const types: [TypeUrl, Resources][] = [
        [
          resourceTypes.configuration,
          named([makeResource(messageTypes.configuration, `${namespace}/${appId}`, configuration, redactConfiguration)]),
        ],
        [resourceTypes.resiliency, named(policiesOf(set).map(([item, policies]) => resiliency(policies, inNamespace(item))))],
        [resourceTypes.component, named(ownLast(set.components).map((item) => component(item, inNamespace(item))))],
        [
          resourceTypes.actorResiliency,
          named(actorPoliciesOf(set, model, instance).map(([item, type]) => actorPolicies(item, `${namespace}/${type}`))),
        ],
        [resourceTypes.externalEndpoint, named(endpointsOf(set).map((item) => externalEndpoint(item, inNamespace(item))))],
        [resourceTypes.subscription, named(ownLast(set.subscriptions).map((item) => subscription(item, inNamespace(item))))],
        [
          resourceTypes.placement,
          named(
            model.placements
              .filter((item) => item.namespace === namespace)
              .map((item) => placement(item, `${item.namespace}/${item.actorType}`)),
          ),
        ],
      ];
      return new Map(types.map(([url, resources]) => [url, stable(before?.get(url), resources)]));
    },
  };
}

const knownPolicies = new WeakMap<ResourceSet, readonly (readonly [Component, ComponentResiliency])[]>();

/** What is in force for each component that has a policy. Sets never change, so this is found out once a set. */
function policiesOf(set: ResourceSet): readonly (readonly [Component, ComponentResiliency])[] {
  const known = knownPolicies.get(set);
  if (known) return known;
  const documents = resiliencyOf(set);
  const made = documents.length === 0 ? [] : componentResiliency(documents, ownLast(set.components));
  knownPolicies.set(set, made);
  return made;
}

const resiliencyOf = ({ policies }: ResourceSet) => policies.filter(({ kind }) => kind === 'Resiliency');

const knownActorPolicies = new WeakMap<ResourceSet, Map<string, ActorResiliency | undefined>>();

/** What is in force for each actor type that is placed on `instance` and has a policy that is its owner's to carry out. */
function actorPoliciesOf(set: ResourceSet, { placements }: MeshModel, { namespace, instanceId }: Instance) {
  const documents = resiliencyOf(set);
  if (documents.length === 0) return [];
  const known = knownActorPolicies.get(set) ?? new Map<string, ActorResiliency | undefined>();
  knownActorPolicies.set(set, known);
  const isHere = (it: ActorPlacement) => it.namespace === namespace && it.hosts.some((host) => host.instanceId === instanceId);
  return placements.filter(isHere).flatMap(({ actorType }): (readonly [ActorResiliency, string])[] => {
    if (!known.has(actorType)) known.set(actorType, actorResiliency(documents, actorType));
    const policy = known.get(actorType);
    return policy ? [[policy, actorType]] : [];
  });
}

const knownEndpoints = new WeakMap<ResourceSet, readonly HttpEndpoint[]>();

/** Found out once a set, so that its messages stay the same objects. */
function endpointsOf(set: ResourceSet): readonly HttpEndpoint[] {
  const known =
    knownEndpoints.get(set) ?? ownLast(set.policies.filter(({ kind }) => kind === 'HTTPEndpoint')).map(endpointSecrets);
  knownEndpoints.set(set, known);
  return known;
}

const knownCallPolicies = new WeakMap<ResourceSet, readonly CallPolicies[]>();

function callPoliciesOf(set: ResourceSet): readonly CallPolicies[] {
  const known = knownCallPolicies.get(set);
  if (known) return known;
  const documents = resiliencyOf(set);
  const made = documents.length === 0 ? [] : callPolicies(documents);
  knownCallPolicies.set(set, made);
  return made;
}

/** Of two resources with one name the later one counts: that of the namespace itself, not that of all namespaces. */
const ownLast = <T extends { readonly namespace: string }>(items: readonly T[]): T[] =>
  [...items].sort((a, b) => Number(a.namespace !== '') - Number(b.namespace !== ''));

/** Remembers the encoding of an object for as long as the object lives: models share their resources by reference. */
function once<T extends object>(encode: (item: T, name: string) => Resource): (item: T, name: string) => Resource {
  const known = new WeakMap<T, Map<string, Resource>>();
  return (item, name) => {
    const names = known.get(item) ?? new Map<string, Resource>();
    known.set(item, names);
    const resource = names.get(name) ?? encode(item, name);
    names.set(name, resource);
    return resource;
  };
}
