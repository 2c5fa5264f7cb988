import { HeaderMatcher, QueryParameterMatcher, RouteMatch } from '../../../gen/envoy/config/route/v3/route_components.js';
import type { StringMatcher } from '../../../gen/envoy/type/matcher/v3/string.js';
import type { AppRoute, NamedMatch } from '../../../model/traffic/route.js';
import { matchPath, regexOf } from './path.js';

/** What a request must look like for a rule, and which requests may carry a body or a stream that cannot be sent twice. */

const base = RouteMatch.fromPartial({});
const baseHeader = HeaderMatcher.fromPartial({});

/** @param pathBase what stands before the method's path */
export function matchOf(
  { match, protocol }: Pick<AppRoute, 'match' | 'protocol'>,
  pathBase: string,
  more: readonly HeaderMatcher[],
): RouteMatch {
  const method = match.method === '' ? [] : [header(':method', exactly(match.method))];
  return {
    ...base,
    pathSpecifier: matchPath(match.path, pathBase),
    headers: [...method, ...match.headers.map((it) => header(it.name, textOf(it))), ...more],
    queryParameters: match.query.map((it) =>
      QueryParameterMatcher.fromPartial({
        name: it.name,
        queryParameterMatchSpecifier: { $case: 'stringMatch', value: textOf(it) },
      }),
    ),
    grpc: protocol === 'grpc' ? {} : undefined,
  };
}

const exactly = (value: string): StringMatcher => ({ matchPattern: { $case: 'exact', value }, ignoreCase: false });
const fully = (regex: string): StringMatcher => ({
  matchPattern: { $case: 'safeRegex', value: regexOf(regex) },
  ignoreCase: false,
});
const textOf = ({ kind, value }: NamedMatch): StringMatcher => (kind === 'exact' ? exactly(value) : fully(value));

const header = (name: string, value: StringMatcher, more: Partial<HeaderMatcher> = {}): HeaderMatcher => ({
  ...baseHeader,
  name,
  headerMatchSpecifier: { $case: 'stringMatch', value },
  ...more,
});
const present = (name: string, invertMatch = false): HeaderMatcher => ({
  ...baseHeader,
  name,
  headerMatchSpecifier: { $case: 'presentMatch', value: true },
  invertMatch,
});

const GRPC: StringMatcher = { matchPattern: { $case: 'prefix', value: 'application/grpc' }, ignoreCase: false };

/** gRPC's own mark for calls that last (reference §3.12): neither timeout nor retry once they stand. */
export const isGrpcStream: readonly HeaderMatcher[] = [
  header('content-type', GRPC),
  header('dapr-stream', fully('(?i)(?:y|yes|true|t|on|1)')),
];
/** A body whose length is not told, or none at all: Envoy has taken `transfer-encoding` off by the time that it looks for a route. */
export const hasNoLength: readonly HeaderMatcher[] = [
  present('content-length', true),
  header('content-type', GRPC, { invertMatch: true, treatMissingHeaderAsEmpty: true }),
];
/** Methods that seldom carry a body. */
export const isBodiless: HeaderMatcher = header(':method', fully('GET|HEAD|OPTIONS|TRACE|DELETE'));
/** With it a retry is given up as soon as there is a body: a streamed one is never sent twice, and a call without one is. */
export const NO_BODY_KEPT = 0;
