import type {
  ActorPlacement,
  ActorResiliency,
  AppConfiguration,
  Component,
  ComponentResiliency,
  Subscription,
} from '../gen/weft/config/v1/config.js';
import type { Instance } from './instance.js';
import type { MeshProfile } from './mesh-profile.js';

/** All validated resources of one set of directories. */
export interface ResourceSet {
  readonly components: readonly Component[];
  readonly subscriptions: readonly Subscription[];
  /** The merged Configuration spec, by Configuration name. */
  readonly configurations: readonly { readonly name: string; readonly spec: unknown; readonly source: string }[];
  /** Documents of kinds that issue a data-plane policy: Resiliency, HTTPEndpoint, HTTPRoute … by kind, validated. */
  readonly policies: readonly {
    readonly kind: string;
    readonly name: string;
    readonly namespace: string;
    /** App ids; empty: all. */
    readonly scopes: readonly string[];
    /** RFC 3339, when the document says when it was made. */
    readonly createdAt?: string;
    readonly spec: unknown;
    /** `auth.secretStore`, of those that take secrets. */
    readonly secretStore?: string;
    readonly source: string;
  }[];
}

/** Everything that the translators read: one immutable value per change. */
export interface MeshModel {
  /** Sorted by namespace, app id, instance id. */
  readonly instances: readonly Instance[];
  /** What the app of `instance` gets: resources in its scopes and namespace. */
  resourcesFor(instance: Instance): ResourceSet;
  /** The effective Configuration of `instance`'s app. */
  configurationFor(instance: Instance): AppConfiguration;
  readonly placements: readonly ActorPlacement[];
  readonly profile: MeshProfile;
}

export type { ActorPlacement, ActorResiliency, AppConfiguration, Component, ComponentResiliency, Subscription };

/** A document that cannot be used. */
export interface RefusedDocument {
  /** `unknown`: it tells none, or none that there is. */
  readonly kind: string;
  readonly source: string;
}
