import { HTTPFault } from '../../../../gen/envoy/extensions/filters/http/fault/v3/fault.js';
import type { MissingStep } from '../../../../model/middleware/pipeline.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails } from '../../local-reply.js';
import type { Applied } from './module.js';

const config = pack(
  messageTypes.fault,
  HTTPFault.fromPartial({
    abort: { errorType: { $case: 'httpStatus', value: 503 }, percentage: { numerator: 100, denominator: 0 } },
    disableDownstreamClusterStats: true,
  }),
);

/** Stands where a handler should be that cannot be applied: nothing passes. */
export function closed({ handler }: MissingStep): Applied {
  const message = `the middleware ${handler.name} of the pipeline cannot be applied; see weft routes`;
  return {
    config,
    replies: [byDetails({ details: 'fault_filter_abort', status: 503, body: { errorCode: 'ERR_MIDDLEWARE', message } })],
  };
}
