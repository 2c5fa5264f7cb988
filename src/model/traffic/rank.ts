import type { NamedMatch, PathMatch, RouteMatch } from './route.js';

/** Gateway API's order among all matches for one app: an exact path, then an expression, then the longest prefix, method, headers, query. */
export const httpRank = ({ path, method, headers, query }: RouteMatch): readonly number[] => [
  KINDS[path.kind],
  path.value.length,
  method === '' ? 0 : 1,
  headers.length,
  query.length,
];
const KINDS = { exact: 2, regex: 1, prefix: 0 } as const;

/** The same for gRPC: the longest service, the longest method, the most headers. */
export function grpcRank(names: { readonly service: string; readonly method: string; readonly exact: boolean }, headers: number) {
  return [names.exact ? 1 : 0, names.service.length, names.method.length, headers];
}

/** @returns as {@link Array.sort} wants it: the rule that is asked first comes first; equal rules keep their order */
export function byRank(a: { readonly rank: readonly number[] }, b: { readonly rank: readonly number[] }): number {
  for (const [index, value] of a.rank.entries()) {
    const other = b.rank[index] ?? 0;
    if (value !== other) return other - value;
  }
  return 0;
}

/** Of several conditions on one name only the first one counts (Gateway API), and the order in which they stand says nothing. */
export function firstOfEach(matches: readonly NamedMatch[]): readonly NamedMatch[] {
  const byName = new Map<string, NamedMatch>();
  for (const match of matches) if (!byName.has(match.name)) byName.set(match.name, match);
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const EVERY_PATH: PathMatch = { kind: 'prefix', value: '/' };
export const EVERYTHING: RouteMatch = { path: EVERY_PATH, headers: [], query: [], method: '' };
