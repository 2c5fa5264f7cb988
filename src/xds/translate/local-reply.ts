import { type AccessLogFilter, ComparisonFilter_Op } from '../../gen/envoy/config/accesslog/v3/accesslog.js';
import { SubstitutionFormatString } from '../../gen/envoy/config/core/v3/substitution_format_string.js';
import type { HeaderMatcher } from '../../gen/envoy/config/route/v3/route_components.js';
import {
  LocalReplyConfig,
  ResponseMapper,
} from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { messageTypes, pack } from './any.js';

/**
 * Envoy's findings about an upstream: no healthy host, connection failure or end, no route or cluster, overflow, timeout. Its findings
 * about a request (400, 413, 431) stay as they are.
 */
const UPSTREAM_FLAGS = ['UH', 'UF', 'UC', 'UR', 'UT', 'UO', 'URX', 'LR', 'LH', 'NR', 'NC', 'UPE'];

const all = (...filters: AccessLogFilter[]): AccessLogFilter => ({ filterSpecifier: { $case: 'andFilter', value: { filters } } });
const header = (name: string, matcher: Partial<HeaderMatcher>): AccessLogFilter => ({
  filterSpecifier: {
    $case: 'headerFilter',
    value: { header: { name, invertMatch: false, treatMissingHeaderAsEmpty: false, ...matcher } },
  },
});

const upstreamFailed: AccessLogFilter = { filterSpecifier: { $case: 'responseFlagFilter', value: { flags: UPSTREAM_FLAGS } } };
const isCall = header('dapr-callee-app-id', { headerMatchSpecifier: { $case: 'presentMatch', value: true } });
const GRPC_CONTENT = {
  headerMatchSpecifier: {
    $case: 'stringMatch',
    value: { matchPattern: { $case: 'prefix', value: 'application/grpc' }, ignoreCase: false },
  },
} as const;
const isGrpc = header('content-type', GRPC_CONTENT);
const isNotGrpc = header('content-type', { ...GRPC_CONTENT, invertMatch: true, treatMissingHeaderAsEmpty: true });

/** Calls that may be answered in Dapr's words below. Those that the app answered so are told by Envoy's reason only. */
export const mayBeWorded = (): AccessLogFilter => all(upstreamFailed, isNotGrpc, hasStatus(500));

/** A status that one of Envoy's own filters answered with, in another's words. */
export interface Rewording {
  readonly from: number;
  /** Default: the same. */
  readonly to?: number;
  /** Text is sent as it is, an object as JSON. `%…%` are Envoy's substitutions. */
  readonly body: string | Readonly<Record<string, string>>;
  /** Only for requests that are gRPC, where the body is the message of the status; or only for those that are not. */
  readonly grpc?: boolean;
}

/** @returns what rewords the answers of a filter of our chain; an app's own answers are never touched */
export function reword({ from, to, body, grpc }: Rewording): ResponseMapper {
  const status = hasStatus(from);
  return ResponseMapper.fromPartial({
    filter: grpc === undefined ? status : all(status, grpc ? isGrpc : isNotGrpc),
    ...(to === undefined ? {} : { statusCode: to }),
    bodyFormatOverride: bodyFormat(body),
  });
}

/** @returns an access log filter for one status */
export const hasStatus = (code: number): AccessLogFilter => ({
  filterSpecifier: {
    $case: 'statusCodeFilter',
    value: { comparison: { op: ComparisonFilter_Op.EQ, value: { defaultValue: code, runtimeKey: 'weft.reworded_status' } } },
  },
});

/** An answer that is known by why it was given (Envoy's response code details). */
export interface DetailedRewording {
  /** All of the details, or how they begin. */
  readonly details?: string;
  readonly prefix?: string;
  /** RE2, of which a part of the details is enough. */
  readonly pattern?: string;
  /** CEL; what else must hold. */
  readonly when?: string;
  readonly status: number;
  readonly body: Rewording['body'];
}

/** @returns as {@link reword}, for one filter where several answer with the same status */
export function byDetails({ details, prefix, pattern, when, status, body }: DetailedRewording): ResponseMapper {
  const expression = pattern === undefined ? detailsAre(details, prefix) : detailsMatch(pattern);
  return ResponseMapper.fromPartial({
    filter: celFilter(`${expression}${when === undefined ? '' : ` && ${when}`}`),
    statusCode: status,
    bodyFormatOverride: bodyFormat(body),
  });
}

/** @returns CEL for answers whose details match */
export const detailsMatch = (pattern: string): string =>
  `has(response.code_details) && response.code_details.matches(${JSON.stringify(pattern)})`;

const detailsAre = (details: string | undefined, prefix: string | undefined): string =>
  details === undefined
    ? `has(response.code_details) && response.code_details.startsWith(${JSON.stringify(prefix)})`
    : `has(response.code_details) && response.code_details == ${JSON.stringify(details)}`;

/** @returns an access log filter for a CEL expression */
export const celFilter = (expression: string): AccessLogFilter => ({
  filterSpecifier: {
    $case: 'extensionFilter',
    value: {
      name: 'envoy.access_loggers.extension_filters.cel',
      configType: { $case: 'typedConfig', value: pack(messageTypes.celFilter, { value: expression }) },
    },
  },
});

/** @returns the body of an answer. Text is sent as it is, an object as JSON; `%…%` are Envoy's substitutions */
export const bodyFormat = (body: Rewording['body']): SubstitutionFormatString =>
  SubstitutionFormatString.fromPartial({
    format:
      typeof body === 'string'
        ? { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: body } } }
        : { $case: 'jsonFormat', value: { ...body } },
  });

/**
 * @param isMeant which of the failed calls
 * @param id how its target is called
 * @returns what words the failure of a call that is not gRPC
 */
export const directInvokeFailed = (isMeant: AccessLogFilter, id: string): ResponseMapper =>
  ResponseMapper.fromPartial({
    filter: all(upstreamFailed, isMeant, isNotGrpc),
    statusCode: 500,
    bodyFormatOverride: {
      format: {
        $case: 'jsonFormat',
        value: { errorCode: 'ERR_DIRECT_INVOKE', message: `failed to invoke, id: ${id}, err: %LOCAL_REPLY_BODY%` },
      },
    },
  });

/** Envoy's own failures in Dapr's words (reference §1.3). gRPC calls keep the status that Envoy gives them. */
export const localReply: LocalReplyConfig = LocalReplyConfig.fromPartial({
  mappers: [
    directInvokeFailed(isCall, '%REQ(dapr-callee-app-id)%'),
    {
      filter: all(upstreamFailed, isNotGrpc),
      statusCode: 500,
      bodyFormatOverride: { format: { $case: 'jsonFormat', value: { errorCode: 'ERROR', message: '%LOCAL_REPLY_BODY%' } } },
    },
  ],
});
