import type {
  HttpFilter,
  ResponseMapper,
} from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Instance } from '../../../model/instance.js';
import type { Resource } from '../../resource.js';
import type { AppSettings } from '../app-settings.js';

/** Which way a listener looks: `api` takes what the app calls, `inbound` takes what is meant for the app. */
export type Direction = 'api' | 'inbound';

export interface FilterContext {
  readonly instance: Instance;
  readonly settings: AppSettings;
  readonly direction: Direction;
  /** One of `LISTENERS`. */
  readonly listener: string;
}

/** One HTTP filter of the chain. Its position is its index in `filters`. */
export interface FilterModule {
  /** @returns the filter for a listener's chain; undefined: not on this listener */
  chain(context: FilterContext): HttpFilter | readonly HttpFilter[] | undefined;
  /** @returns how the filter's own answers are worded on that listener */
  replies?(context: FilterContext): readonly ResponseMapper[];
  /** @returns the clusters that the filter calls */
  clusters?(instance: Instance, settings: AppSettings): readonly Resource[];
}
