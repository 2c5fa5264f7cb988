import { fullMatch } from './regex.js';
import type { AppRoute, NamedMatch, PathChange, PathMatch } from './route.js';
import type { AppTraffic } from './view.js';

/** A call as the rules see it. */
export interface TrafficRequest {
  /** The method's path, with its query. */
  readonly path: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What becomes of a call: a rule, the app itself when no rule is about it, or nothing at all. */
export type Selection = { readonly route: AppRoute } | 'app' | 'refused';

/** Evaluates rules as Envoy does, for people who ask where a call goes. */
export function selectRoute(traffic: AppTraffic | undefined, request: TrafficRequest): Selection {
  if (!traffic) return 'app';
  const grpc = request.headers.get('content-type')?.startsWith('application/grpc') ?? false;
  const route = traffic.routes.find((it) => (grpc || it.protocol === 'any') && matches(it, request));
  if (route) return { route };
  return (grpc ? traffic.unmatched.grpc : traffic.unmatched.http) === 'app' ? 'app' : 'refused';
}

function matches({ match }: AppRoute, { path, method, headers }: TrafficRequest): boolean {
  const [bare = '', query = ''] = path.split('?', 2);
  const parameters = new Map(
    query
      .split('&')
      .filter((part) => part !== '')
      .map((part): [string, string] => [part.split('=', 1)[0] ?? '', part.slice(part.indexOf('=') + 1)]),
  );
  return (
    matchesPath(match.path, bare) &&
    (match.method === '' || match.method === method) &&
    match.headers.every((it) => matchesText(it, headers.get(it.name))) &&
    match.query.every((it) => matchesText(it, parameters.get(it.name)))
  );
}

function matchesPath({ kind, value }: PathMatch, path: string): boolean {
  if (kind === 'exact') return path === value;
  if (kind === 'regex') return fullMatch(value).test(path);
  return value === '/' || path === value || path.startsWith(`${value}/`);
}

const matchesText = ({ kind, value }: NamedMatch, text: string | undefined): boolean =>
  text !== undefined && (kind === 'exact' ? text === value : fullMatch(value).test(text));

/** @returns the path that the app sees */
export function changedPath(match: PathMatch, change: PathChange | undefined, path: string): string {
  if (!change) return path;
  const at = path.indexOf('?');
  const [bare, query] = at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at)];
  if (change.kind === 'full') return change.value + query;
  const prefix = match.value === '/' ? '' : match.value;
  const rest = bare.slice(prefix.length);
  const start = change.value.replace(/\/+$/, '');
  if (start === '') return `/${rest.replace(/^\/+/, '')}${query}`;
  return start + rest + query;
}
