import type { z } from 'zod';
import { parseGoDuration } from '../../lib/duration.js';
import type { grpcRouteSpec, httpRouteSpec } from '../resources/kinds/traffic.js';
import { EVERY_PATH, EVERYTHING, firstOfEach, grpcRank, httpRank } from './rank.js';
import {
  type AppRef,
  type AppRoute,
  type Backend,
  type CorsRule,
  type HeaderChange,
  type NamedMatch,
  type PathMatch,
  parseAppName,
  type RetryRule,
  type RouteFilters,
  type RouteMatch,
  type SessionPersistence,
} from './route.js';

type HttpRule = z.infer<typeof httpRouteSpec>['rules'][number];
type GrpcRule = z.infer<typeof grpcRouteSpec>['rules'][number];

/** What the rules of one document are read for. */
export interface RuleContext {
  readonly source: string;
  /** The app whose calls the rules steer. */
  readonly parent: AppRef;
  /** Of backends that name none; '' is the parent's. */
  readonly namespace: string;
}

/** @returns one route for each match of an HTTPRoute's rule */
export function httpRoutes(rule: HttpRule, context: RuleContext): AppRoute[] {
  const matches = rule.matches.length === 0 ? [EVERYTHING] : rule.matches.map(httpMatch);
  const shared = { ...common(rule, context), ...timing(rule), retry: rule.retry && retryRule(rule.retry) };
  return matches.map((match) => ({ ...shared, protocol: 'any', match, rank: httpRank(match) }));
}

/** @returns one route for each match of a GRPCRoute's rule */
export function grpcRoutes(rule: GrpcRule, context: RuleContext): AppRoute[] {
  const shared = common(rule, context);
  return (rule.matches.length === 0 ? [{ method: undefined, headers: [] }] : rule.matches).map((match) => {
    const { service = '', method = '', type } = match.method ?? {};
    const headers = named(match.headers);
    const path = grpcPath(service, method, type === 'RegularExpression');
    const rank = grpcRank({ service, method, exact: type !== 'RegularExpression' }, headers.length);
    return { ...shared, protocol: 'grpc', match: { path, headers, query: [], method: '' }, rank };
  });
}

function httpMatch({ path, headers, queryParams, method }: HttpRule['matches'][number]): RouteMatch {
  const kind = { Exact: 'exact', RegularExpression: 'regex', PathPrefix: 'prefix' } as const;
  return {
    path: path ? toPath(kind[path.type ?? 'PathPrefix'], path.value ?? '/') : EVERY_PATH,
    headers: named(headers),
    query: named(queryParams),
    method: method ?? '',
  };
}

/** `/a/` and `/a` are the same prefix. */
const toPath = (kind: PathMatch['kind'], value: string): PathMatch =>
  kind === 'prefix' ? { kind, value: value.replace(/\/+$/, '') || '/' } : { kind, value };

function grpcPath(service: string, method: string, isRegex: boolean): PathMatch {
  if (service === '' && method === '') return EVERY_PATH;
  if (!isRegex && service !== '')
    return method === '' ? toPath('prefix', `/${service}`) : toPath('exact', `/${service}/${method}`);
  const part = (text: string) => (text === '' ? '[^/]+' : isRegex ? `(?:${text})` : escapeRegex(text));
  return { kind: 'regex', value: `/${part(service)}/${part(method)}` };
}

/** @returns an expression that matches exactly `text`, for RE2 and JavaScript */
export const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

interface WrittenMatch {
  readonly type?: 'Exact' | 'RegularExpression' | undefined;
  readonly name: string;
  readonly value: string;
}
const named = (matches: readonly WrittenMatch[]): readonly NamedMatch[] =>
  firstOfEach(
    matches.map(({ type, name, value }) => ({
      kind: type === 'RegularExpression' ? ('regex' as const) : ('exact' as const),
      name,
      value,
    })),
  );

function common(rule: HttpRule | GrpcRule, { source, parent, namespace }: RuleContext) {
  const backends = rule.backendRefs.map((ref): Backend => {
    const { request, response } = toFilters(ref.filters, namespace);
    return { app: parseAppName(ref.name, ref.namespace ?? namespace), weight: ref.weight ?? 1, request, response };
  });
  const isRedirect = rule.filters.some(({ type }) => type === 'RequestRedirect');
  return {
    source,
    filters: toFilters(rule.filters, namespace),
    // A rule that names no backend is about the way to the parent itself (GAMMA).
    backends: backends.length > 0 || isRedirect ? backends : [{ app: parent, weight: 1 }],
    session: rule.sessionPersistence && sessionOf(rule.sessionPersistence),
  };
}

type WrittenFilter = HttpRule['filters'][number];

function toFilters(written: readonly Partial<WrittenFilter>[], namespace: string): RouteFilters {
  const one = <K extends keyof WrittenFilter>(field: K) => written.find((filter) => filter[field] !== undefined)?.[field];
  const redirect = one('requestRedirect');
  const rewrite = one('urlRewrite');
  return {
    request: one('requestHeaderModifier') as HeaderChange | undefined,
    response: one('responseHeaderModifier') as HeaderChange | undefined,
    redirect: redirect && { ...redirect, path: toChange(redirect.path), status: redirect.statusCode ?? 302 },
    cors: corsOf(one('cors')),
    rewrite: rewrite && { hostname: rewrite.hostname, path: toChange(rewrite.path) },
    mirrors: written.flatMap(({ requestMirror: mirror }) => {
      if (!mirror) return [];
      const { percent = 100, fraction } = mirror;
      const share = fraction ? fraction.numerator / (fraction.denominator ?? 100) : percent / 100;
      const app = parseAppName(mirror.backendRef.name, mirror.backendRef.namespace ?? namespace);
      return [{ app, perMillion: Math.min(1_000_000, Math.round(share * 1_000_000)) }];
    }),
  };
}

/** Gateway API's default. */
const CORS_SECONDS = 5;
const corsOf = (cors: WrittenFilter['cors']): CorsRule | undefined =>
  cors && {
    origins: cors.allowOrigins,
    credentials: cors.allowCredentials ?? false,
    methods: cors.allowMethods,
    headers: cors.allowHeaders,
    exposed: cors.exposeHeaders,
    maxAgeSeconds: cors.maxAge ?? CORS_SECONDS,
  };

type WrittenChange = NonNullable<NonNullable<WrittenFilter['urlRewrite']>['path']>;
const toChange = (change: WrittenChange | undefined) =>
  change &&
  ({
    kind: change.type === 'ReplaceFullPath' ? 'full' : 'prefix',
    value: (change.type === 'ReplaceFullPath' ? change.replaceFullPath : change.replacePrefixMatch) || '/',
  } as const);

const ms = (text: string | undefined) => (text === undefined ? undefined : Math.round(parseGoDuration(text) ?? 0));
const timing = ({ timeouts }: HttpRule) => ({ requestMs: ms(timeouts?.request), attemptMs: ms(timeouts?.backendRequest) });

const RETRY_WAIT_MS = 25;
function retryRule({ codes, attempts, backoff }: NonNullable<HttpRule['retry']>): RetryRule {
  const waitMs = ms(backoff) ?? RETRY_WAIT_MS;
  return {
    retries: attempts ?? 1,
    statuses: [...new Set(codes)].sort((a, b) => a - b).map((code) => [code, code] as const),
    grpcCodes: [],
    waitMs,
    maxWaitMs: backoff === undefined ? 10 * waitMs : waitMs,
  };
}

function sessionOf({
  sessionName,
  type,
  absoluteTimeout,
  cookieConfig,
}: NonNullable<HttpRule['sessionPersistence']>): SessionPersistence {
  const isHeader = type === 'Header';
  const permanent = cookieConfig?.lifetimeType === 'Permanent';
  return {
    by: isHeader ? 'header' : 'cookie',
    name: sessionName ?? (isHeader ? 'x-session' : 'session'),
    ttlMs: permanent ? (ms(absoluteTimeout) ?? 0) : 0,
  };
}
