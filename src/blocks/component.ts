import type { Logger } from '../telemetry/logger.js';

/** What a component factory is told about itself: Dapr's component spec with every reference already resolved. */
export interface ComponentSpec {
  readonly name: string;
  /** For example `state.sqlite`. */
  readonly type: string;
  /** For example `v1`. */
  readonly version: string;
  /** Metadata by lower-cased name: Dapr's metadata names are case-insensitive. Values are strings, as in the YAML. */
  readonly metadata: ReadonlyMap<string, string>;
  /** File and document, for messages. */
  readonly source: string;
}

/** What every component may use of its surroundings. */
export interface ComponentDeps {
  readonly appId: string;
  readonly namespace: string;
  readonly instanceId: string;
  /** Directory for embedded databases that the sidecars of one machine share. Exists. */
  readonly dataDir: string;
  readonly logger: Logger;
}

/** A component that is ready to serve. */
export interface LoadedComponent {
  /** Releases sockets, files and timers. Idempotent. */
  close(): Promise<void>;
}

/** Makes a ready component or throws an Error whose message names the wrong metadata field and the remedy. */
export type ComponentFactory<T extends LoadedComponent> = (spec: ComponentSpec, deps: ComponentDeps) => Promise<T>;
