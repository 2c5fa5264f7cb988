import type { ResponseMapper } from '../../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Any } from '../../../../gen/google/protobuf/any.js';
import type { BuiltStep } from '../../../../model/middleware/pipeline.js';
import type { Resource } from '../../../resource.js';

/** What a middleware becomes at one place of one listener's chain. */
export interface Applied {
  /** The filter's configuration. */
  readonly config: Any;
  /** The only paths that it is for (RE2, the whole of path and query); absent: all. */
  readonly onlyPaths?: string;
  /** How its own answers are worded. */
  readonly replies?: readonly ResponseMapper[];
  /** What it calls. */
  readonly clusters?: readonly Resource[];
}

export interface Place<Kind> {
  readonly middleware: Kind;
  readonly step: BuiltStep;
  /** Unique in the chain. */
  readonly name: string;
  /** The listener tells its clients apart by their address; a Unix socket does not. */
  readonly knowsClients: boolean;
}
