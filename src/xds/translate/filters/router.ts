import { Router } from '../../../gen/envoy/extensions/filters/http/router/v3/router.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { messageTypes, pack } from '../any.js';
import type { FilterModule } from './module.js';

// The app's answer comes back as it is: no x-envoy headers of ours. Per-code stats cost CPU and are not among the documented series.
const router = HttpFilter.fromPartial({
  name: 'envoy.filters.http.router',
  configType: {
    $case: 'typedConfig',
    value: pack(messageTypes.router, Router.fromPartial({ suppressEnvoyHeaders: true, dynamicStats: false })),
  },
});

/** Sends the request on; always last. */
export const routerFilter: FilterModule = { chain: () => router };
