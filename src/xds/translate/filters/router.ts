import { Router } from '../../../gen/envoy/extensions/filters/http/router/v3/router.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { countsPaths, metricsEnabled } from '../../../model/metrics/spec.js';
import { messageTypes, pack } from '../any.js';
import type { FilterModule } from './module.js';

// The app's answer comes back as it is: no x-envoy headers of ours.
const router = (dynamicStats: boolean) =>
  HttpFilter.fromPartial({
    name: 'envoy.filters.http.router',
    configType: {
      $case: 'typedConfig',
      value: pack(messageTypes.router, Router.fromPartial({ suppressEnvoyHeaders: true, dynamicStats })),
    },
  });

/** Counts answers by status and their time, which costs CPU: only at the caller, whose series have no other source, and where paths are counted. */
const counting = router(true);
const silent = router(false);

/** Sends the request on; always last. */
export const routerFilter: FilterModule = {
  chain: ({ direction, settings: { spec } }) =>
    (direction === 'api' && metricsEnabled(spec)) || countsPaths(spec) ? counting : silent,
};
