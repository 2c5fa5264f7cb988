import type { AccessLogFilter } from '../../../../gen/envoy/config/accesslog/v3/accesslog.js';
import { ExternalProcessor } from '../../../../gen/envoy/extensions/filters/http/ext_proc/v3/ext_proc.js';
import {
  ProcessingMode,
  ProcessingMode_BodySendMode,
  ProcessingMode_HeaderSendMode,
} from '../../../../gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode.js';
import type { ResponseMapper } from '../../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { ExtProc } from '../../../../model/middleware/types.js';
import { EXT_PROC_CLUSTER, HEADERS } from '../../../../model/names.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails, celFilter, detailsMatch, hasStatus } from '../../local-reply.js';
import { duration } from '../../values.js';
import type { Applied, Place } from './module.js';

/** Who calls, and what we say among ourselves, is not for a module to change. */
const OURS = '(?i:x-weft-.*|x-envoy-.*|dapr-caller-.*|dapr-callee-app-id|dapr-api-token|x-forwarded-client-cert)';

/** Why Envoy refuses a call for a module: no answer or an error, or an answer that is none (the last three; their own words say little). */
const REASONS = '^(ext_proc|spurious_message|unhandled_message|header_mutation_)';
const STATUS = 503;

/** @returns what words the refusal of a call that passes `modules`, of which one has failed */
export const moduleFailed = (modules: readonly string[]): ResponseMapper =>
  byDetails({
    pattern: REASONS,
    status: STATUS,
    body: {
      errorCode: 'ERR_MIDDLEWARE',
      message: `the middleware ${modules.join(' or ').replaceAll('%', '%%')} has failed; the call was not let through`,
    },
  });

/** Those calls, once they are worded; the status is looked at first, since an expression costs more. */
export const refusedByModule: AccessLogFilter = {
  filterSpecifier: {
    $case: 'andFilter',
    value: { filters: [hasStatus(STATUS), celFilter(detailsMatch(REASONS))] },
  },
};

/** A module of the filter service. It sees what it has handlers for and nothing else; when it fails, the call does (unless `failOpen`). */
export function extProc({ middleware, step }: Place<ExtProc>): Applied {
  const { timeoutMs, failOpen } = middleware;
  const config = ExternalProcessor.fromPartial({
    grpcService: {
      targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: EXT_PROC_CLUSTER, authority: 'middleware' } },
      initialMetadata: [{ key: HEADERS.middleware, value: step.handler.name }],
    },
    failureModeAllow: failOpen,
    messageTimeout: duration(timeoutMs),
    processingMode: processingMode(new Set(step.local?.phases ?? [])),
    mutationRules: {
      allowAllRouting: false,
      allowEnvoy: false,
      disallowExpression: { regex: OURS },
      disallowIsError: true,
    },
  });
  return { config: pack(messageTypes.extProc, config) };
}

function processingMode(phases: ReadonlySet<string>): ProcessingMode {
  const headers = (phase: string) =>
    phases.has(phase) ? ProcessingMode_HeaderSendMode.SEND : ProcessingMode_HeaderSendMode.SKIP;
  const body = (phase: string) => (phases.has(phase) ? ProcessingMode_BodySendMode.BUFFERED : ProcessingMode_BodySendMode.NONE);
  return ProcessingMode.fromPartial({
    requestHeaderMode: headers('request-headers'),
    requestBodyMode: body('request-body'),
    responseHeaderMode: headers('response-headers'),
    responseBodyMode: body('response-body'),
    requestTrailerMode: ProcessingMode_HeaderSendMode.SKIP,
    responseTrailerMode: ProcessingMode_HeaderSendMode.SKIP,
  });
}
