import type { AccessLogFilter } from '../../../gen/envoy/config/accesslog/v3/accesslog.js';
import { messageTypes, pack } from '../any.js';
import { directInvokeFailed } from '../local-reply.js';
import type { FilterModule } from './module.js';

/** Their calls carry no header of ours, so the cluster tells that it was one. */
const toExternal: AccessLogFilter = {
  filterSpecifier: {
    $case: 'extensionFilter',
    value: {
      name: 'envoy.access_loggers.extension_filters.cel',
      configType: {
        $case: 'typedConfig',
        value: pack(messageTypes.celFilter, { value: "xds.cluster_name.startsWith('external|')" }),
      },
    },
  },
};
const NAME = "%CEL(re.extract(xds.cluster_name, '^external[|][^|]*[|](.*)$', '\\\\1'))%";

/** No filter, but the words for calls of external services that failed. */
export const externalFailures: FilterModule = {
  chain: () => undefined,
  replies: ({ direction, settings }) => (direction === 'api' && settings.callsOut ? [directInvokeFailed(toExternal, NAME)] : []),
};
