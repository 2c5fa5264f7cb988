import { celFilter, directInvokeFailed } from '../local-reply.js';
import type { FilterModule } from './module.js';

/** Their calls carry no header of ours, so the cluster tells that it was one. */
const toExternal = celFilter("xds.cluster_name.startsWith('external|')");
const NAME = "%CEL(re.extract(xds.cluster_name, '^external[|][^|]*[|](.*)$', '\\\\1'))%";

/** No filter, but the words for calls of external services that failed. */
export const externalFailures: FilterModule = {
  chain: () => undefined,
  replies: ({ direction, settings }) => (direction === 'api' && settings.callsOut ? [directInvokeFailed(toExternal, NAME)] : []),
};
