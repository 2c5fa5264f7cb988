import { Cors } from '../../../gen/envoy/extensions/filters/http/cors/v3/cors.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { messageTypes, pack } from '../any.js';
import { isBehind } from '../traced-calls.js';
import { CORS_FILTER } from '../traffic/cors.js';
import type { FilterModule } from './module.js';

const filter = HttpFilter.fromPartial({
  name: CORS_FILTER,
  configType: { $case: 'typedConfig', value: pack(messageTypes.cors, Cors.fromPartial({})) },
});

/** Which web pages may read answers, where a rule says so; by itself the filter does nothing. */
export const corsFilter: FilterModule = {
  chain: ({ direction, settings, listener }) =>
    direction === 'api' && (settings.cors || isBehind(listener)) ? filter : undefined,
};
