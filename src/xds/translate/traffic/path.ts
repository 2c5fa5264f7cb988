import type { RedirectAction, RouteAction, RouteMatch } from '../../../gen/envoy/config/route/v3/route_components.js';
import type { PathChange, PathMatch } from '../../../model/traffic/route.js';
import { escapeRegex } from '../../../model/traffic/rule.js';

/**
 * Rules speak of the method's path, what the app sees. Addressed by path, a call has `base` (`/v1.0/invoke/<app>/method`) before it: every
 * match and rewrite takes that in. Addressed by header, `base` is empty.
 */

/** @returns how Envoy matches `path` behind `base` */
export function matchPath(path: PathMatch, base: string): NonNullable<RouteMatch['pathSpecifier']> {
  if (path.kind === 'exact') return { $case: 'path', value: base + path.value };
  if (path.kind === 'regex') return { $case: 'safeRegex', value: regexOf(`${escapeRegex(base)}(?:${unanchored(path.value)})`) };
  if (path.value === '/') return { $case: 'prefix', value: `${base}/` };
  return { $case: 'pathSeparatedPrefix', value: base + path.value };
}

type Rewrite = Pick<RouteAction, 'prefixRewrite' | 'regexRewrite'>;

/** @returns what makes the method's path of the path that came in, and then of that what `change` says */
export function rewritePath(path: PathMatch, base: string, change: PathChange | undefined): Partial<Rewrite> {
  if (change?.kind === 'full') return byRegex('^.*$', change.value);
  if (change) return replacePrefix(path, base, change.value);
  if (base === '') return {};
  return path.kind === 'regex' ? byRegex(`^${escapeRegex(base)}`, '') : { prefixRewrite: path.value };
}

/** @returns where a redirect leads: back to the same app by the same form of address, or to another host, which knows no forms */
export function redirectPath(
  path: PathMatch,
  base: string,
  { path: change, hostname }: { readonly path?: PathChange | undefined; readonly hostname?: string | undefined },
): RedirectAction['pathRewriteSpecifier'] {
  const kept = hostname === undefined ? base : '';
  if (change?.kind === 'full') return { $case: 'pathRedirect', value: kept + change.value };
  if (change === undefined && kept === base) return undefined;
  const { prefixRewrite, regexRewrite } = change
    ? replacePrefix(path, base, change.value, kept)
    : byRegex(`^${escapeRegex(base)}`, '');
  return regexRewrite ? { $case: 'regexRewrite', value: regexRewrite } : { $case: 'prefixRewrite', value: prefixRewrite ?? '/' };
}

/** Gateway API: whole segments are replaced, and slashes are neither lost nor doubled. */
function replacePrefix(path: PathMatch, base: string, value: string, kept = ''): Partial<Rewrite> {
  const text = kept + value.replace(/\/+$/, '');
  if (path.value === '/') return { prefixRewrite: `${text}/` };
  return text === kept ? byRegex(`^${escapeRegex(base + path.value)}/*`, `${kept}/`) : { prefixRewrite: text };
}

const byRegex = (regex: string, text: string): Partial<Rewrite> => ({
  regexRewrite: { pattern: regexOf(regex), substitution: text.replaceAll('\\', '\\\\') },
});

export const regexOf = (regex: string) => ({ regex, engineType: undefined });

/** The whole path is matched in any case, and an anchor behind `base` would match nothing. */
const unanchored = (regex: string): string => regex.replace(/^\^/, '').replace(/(^|[^\\])\$$/, '$1');
