import type { NodeIdentity } from '../model/names.js';
import type { TypeUrl } from './resource-types.js';

/** One named resource, encoded once. Shared by every snapshot that holds the same content. */
export interface Resource {
  readonly name: string;
  /** Hash of the deterministic bytes: the same content always has the same version. */
  readonly version: string;
  /** The encoded message, without the Any around it. */
  readonly bytes: Buffer;
  /** The message as plain JSON for `weft proxy-config`, secrets redacted. Made on demand. */
  readonly describe: () => unknown;
}

/** Everything one node may ask for. A type that is absent is empty. */
export type Snapshot = ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>>;

/** Where the ADS server gets snapshots. The control plane implements it; tests use a plain map. */
export interface SnapshotSource {
  /** Undefined: no such instance is attached (yet). */
  snapshot(node: NodeIdentity): Snapshot | undefined;
  /** Calls `listener` after each (debounced) change; it asks for the snapshots of its own nodes again. @returns stop listening */
  onChange(listener: () => void): () => void;
  /** True while a restarted control plane waits for instances to re-attach: nothing that a proxy has is replaced or removed. */
  settling(): boolean;
}
