import type {
  ActorPlacement,
  ActorResiliency,
  AppConfiguration,
  Component,
  ComponentResiliency,
  HttpEndpoint,
  Subscription,
} from '../gen/weft/config/v1/config.js';

/** The filter service's resources by kind. */
export interface ConfigKinds {
  readonly component: Component;
  /** Named as the component that it is for. */
  readonly resiliency: ComponentResiliency;
  /** Named as the placement of the type that it is for. */
  readonly actorResiliency: ActorResiliency;
  readonly externalEndpoint: HttpEndpoint;
  readonly subscription: Subscription;
  readonly placement: ActorPlacement;
  readonly configuration: AppConfiguration;
}

export type ConfigKind = keyof ConfigKinds;

export interface ConfigChange<T> {
  /** New or changed resources by resource name. */
  readonly updated: ReadonlyMap<string, T>;
  /** Names of resources that are gone. */
  readonly removed: readonly string[];
  /** On which connection to the control plane it came, counted from 1. Undefined: there is only one. */
  readonly connection?: number;
}

/**
 * Applies one change. Resolves: the resources are in force and get an ACK. Throws: they get a NACK with the error's text,
 * and what was in force stays in force. Calls for one kind never overlap.
 */
export type ConfigApply<T> = (change: ConfigChange<T>) => Promise<void>;

/** Where blocks get their resources: the xDS client in agent/, or a fixed set in tests. */
export interface ConfigSource {
  /** At most one applier a kind. Its first call comes with the first response, which may be empty. */
  on<K extends ConfigKind>(kind: K, apply: ConfigApply<ConfigKinds[K]>): void;
  /** What was refused is in force after all: asks for it once more, so that it can be acknowledged. */
  refresh?(kind: ConfigKind, name: string): void;
  /**
   * Connects anew: what is read on the old connection may be older than this process believes, which has slept perhaps. Every kind gets a
   * response on the new one, an empty one if nothing has changed. @returns the number of that connection
   */
  renew?(): number;
}
