import { HttpRequestHeaderMatchInput } from '../../gen/envoy/type/matcher/v3/http_inputs.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import type { Matcher, Matcher_MatcherList_Predicate, Matcher_OnMatch } from '../../gen/xds/type/matcher/v3/matcher.js';
import type { StringMatcher } from '../../gen/xds/type/matcher/v3/string.js';
import { extension, messageTypes } from './any.js';

/** Builders for xDS matchers (`VirtualHost.matcher`): a map look-up instead of a walk through a list of routes. */

export type MatchMap = ReadonlyMap<string, Matcher_OnMatch>;

/** @returns the matcher input that reads a request header */
export const headerInput = (headerName: string) =>
  extension('header', messageTypes.headerInput, HttpRequestHeaderMatchInput.fromPartial({ headerName }));

/** @returns the end of a matcher: a Route or RouteList in an Any */
export const act = (action: Any): Matcher_OnMatch => ({
  onMatch: { $case: 'action', value: { name: 'route', typedConfig: action } },
});

/** @returns what to do when no entry matches: ask the next matcher */
export const ask = (matcher: Matcher): Matcher_OnMatch => ({ onMatch: { $case: 'matcher', value: matcher } });

/**
 * @param entries keys in any order; the longest matching prefix of `header` wins
 * @param otherwise when none matches
 */
export const byPrefix = (header: string, entries: MatchMap, otherwise: Matcher_OnMatch): Matcher => ({
  matcherType: {
    $case: 'matcherTree',
    value: { input: headerInput(header), treeType: { $case: 'prefixMatchMap', value: { map: sorted(entries) } } },
  },
  onNoMatch: otherwise,
});

/** As {@link byPrefix} by the whole value. An empty map is no matcher to Envoy, so it is left out. */
export function byValue(header: string, entries: MatchMap, otherwise: Matcher_OnMatch): Matcher_OnMatch {
  if (entries.size === 0) return otherwise;
  return ask({
    matcherType: {
      $case: 'matcherTree',
      value: { input: headerInput(header), treeType: { $case: 'exactMatchMap', value: { map: sorted(entries) } } },
    },
    onNoMatch: otherwise,
  });
}

/** @returns `onMatch` when every header starts with its text, else `otherwise` */
export function whenHeaders(
  prefixes: Readonly<Record<string, string>>,
  onMatch: Matcher_OnMatch,
  otherwise: Matcher_OnMatch,
): Matcher_OnMatch {
  const predicates = Object.entries(prefixes).map(([header, prefix]) => startsWith(header, prefix));
  const [only] = predicates;
  const predicate = predicates.length === 1 && only ? only : allOf(predicates);
  return ask({
    matcherType: { $case: 'matcherList', value: { matchers: [{ predicate, onMatch }] } },
    onNoMatch: otherwise,
  });
}

type Pattern = StringMatcher['matchPattern'];

/** @returns true for requests whose header is there and fits */
export const matches = (header: string, matchPattern: Pattern): Matcher_MatcherList_Predicate => ({
  matchType: {
    $case: 'singlePredicate',
    value: { input: headerInput(header), matcher: { $case: 'valueMatch', value: { matchPattern, ignoreCase: false } } },
  },
});
export const regex = (text: string): Pattern =>
  ({ $case: 'safeRegex', value: { engineType: { $case: 'googleRe2', value: {} }, regex: text } }) as Pattern;
export const not = (predicate: Matcher_MatcherList_Predicate): Matcher_MatcherList_Predicate => ({
  matchType: { $case: 'notMatcher', value: predicate },
});
export const allOf = (predicate: Matcher_MatcherList_Predicate[]): Matcher_MatcherList_Predicate => ({
  matchType: { $case: 'andMatcher', value: { predicate } },
});
export const anyOf = (predicate: Matcher_MatcherList_Predicate[]): Matcher_MatcherList_Predicate => ({
  matchType: { $case: 'orMatcher', value: { predicate } },
});

// An empty prefix stands for "present": Envoy refuses the empty string as a prefix.
const startsWith = (header: string, prefix: string): Matcher_MatcherList_Predicate =>
  matches(header, prefix === '' ? regex('.+') : { $case: 'prefix', value: prefix });

// Envoy's maps have no order, but the same content must give the same bytes.
const sorted = (entries: MatchMap): Record<string, Matcher_OnMatch> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
