import type { DaprServer } from '../../gen/dapr/proto/runtime/v1/dapr.js';

/** A block's share of the Dapr service; the server merges the parts, what nobody implements answers Unimplemented. */
export type DaprMethods = Partial<Pick<DaprServer, keyof DaprServer>>;
