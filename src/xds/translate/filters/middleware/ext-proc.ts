import { ExternalProcessor } from '../../../../gen/envoy/extensions/filters/http/ext_proc/v3/ext_proc.js';
import {
  ProcessingMode,
  ProcessingMode_BodySendMode,
  ProcessingMode_HeaderSendMode,
} from '../../../../gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode.js';
import type { ExtProc } from '../../../../model/middleware/types.js';
import { EXT_PROC_CLUSTER, HEADERS } from '../../../../model/names.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails } from '../../local-reply.js';
import { duration } from '../../values.js';
import type { Applied, Place } from './module.js';

/** Who calls, and what we say among ourselves, is not for a module to change. */
const OURS = '(?i:x-weft-.*|x-envoy-.*|dapr-caller-.*|dapr-callee-app-id|dapr-api-token|x-forwarded-client-cert)';

const replies = (handler: string) =>
  ['ext_proc_error', 'ext_proc'].map((prefix) =>
    byDetails({
      prefix,
      status: 503,
      body: { errorCode: 'ERR_MIDDLEWARE', message: `the middleware ${handler} has failed; the call was not let through` },
    }),
  );

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
  return { config: pack(messageTypes.extProc, config), replies: replies(step.handler.name) };
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
