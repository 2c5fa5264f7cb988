/** `spec.logging.apiLogging` of a Configuration (reference §4.2). */
export interface ApiLogSpec {
  readonly enabled?: boolean | null;
  readonly obfuscateURLs?: boolean | null;
  readonly omitHealthChecks?: boolean | null;
}

export interface LoggingSpec {
  readonly logging?: { readonly apiLogging?: ApiLogSpec | null } | null;
}

/** @returns whether each call of the API is to be logged */
export const logsCalls = ({ logging }: LoggingSpec): boolean => logging?.apiLogging?.enabled === true;

/** What Envoy writes for a call, and the sidecar reads: fields with tabs between, the path last, since clients choose it. */
export const CALL_MARK = 'api-call';

/** What Envoy writes when it has refused a call because a middleware module failed: which modules it may have been, status, Envoy's reason. */
export const MIDDLEWARE_MARK = 'middleware-failed';

/** What Envoy writes when it has answered a call in Dapr's words: whom it was for (empty: not by name), cluster, Envoy's reason. */
export const ERROR_MARK = 'error-worded';
