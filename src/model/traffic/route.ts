/**
 * A traffic rule in one form, whatever it was written as (HTTPRoute, GRPCRoute, TrafficSplit): one match, what is done to the request,
 * and where it goes. Plain data: the translator makes Envoy's configuration of it, `explain` evaluates it.
 */

/** An app, or the instances of one that have the label `version`. */
export interface AppRef {
  readonly namespace: string;
  readonly appId: string;
  /** '' stands for all instances. */
  readonly version: string;
}

export interface PathMatch {
  /** `prefix` matches whole segments; a `regex` matches the whole path. */
  readonly kind: 'exact' | 'prefix' | 'regex';
  readonly value: string;
}

/** A header or a query parameter. */
export interface NamedMatch {
  readonly kind: 'exact' | 'regex';
  readonly name: string;
  readonly value: string;
}

export interface RouteMatch {
  /** Of the method's path: what the app sees, however the app was addressed. */
  readonly path: PathMatch;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  /** '' is any. */
  readonly method: string;
}

export interface HeaderChange {
  readonly set: readonly HeaderText[];
  readonly add: readonly HeaderText[];
  readonly remove: readonly string[];
}

export interface HeaderText {
  readonly name: string;
  readonly value: string;
}

export interface PathChange {
  readonly kind: 'full' | 'prefix';
  readonly value: string;
}

export interface Redirect {
  readonly scheme?: 'http' | 'https' | undefined;
  readonly hostname?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: PathChange | undefined;
  readonly status: number;
}

export interface Mirror {
  readonly app: AppRef;
  /** Parts in a million of the requests. */
  readonly perMillion: number;
}

/** Which web pages may read the answers. */
export interface CorsRule {
  /** Such as `https://*.example.com`; `*` is any. */
  readonly origins: readonly string[];
  readonly credentials: boolean;
  /** Method and header names; `*` is any. */
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  /** How long a browser may remember it, seconds. */
  readonly maxAgeSeconds: number;
}

export interface RouteFilters {
  readonly cors?: CorsRule | undefined;
  readonly request?: HeaderChange | undefined;
  readonly response?: HeaderChange | undefined;
  readonly redirect?: Redirect | undefined;
  readonly rewrite?: { readonly hostname?: string | undefined; readonly path?: PathChange | undefined } | undefined;
  readonly mirrors: readonly Mirror[];
}

export interface Backend extends Pick<RouteFilters, 'request' | 'response'> {
  readonly app: AppRef;
  readonly weight: number;
}

/** From and to, both included. */
export type CodeRange = readonly [number, number];

export interface RetryRule {
  /** Tries after the first one. */
  readonly retries: number;
  /** HTTP statuses and gRPC codes that are tried again; broken connections and attempts that last too long always are. */
  readonly statuses: readonly CodeRange[];
  readonly grpcCodes: readonly CodeRange[];
  /** Milliseconds from try to try: the first wait, and the longest. */
  readonly waitMs: number;
  readonly maxWaitMs: number;
}

export interface SessionPersistence {
  readonly by: 'cookie' | 'header';
  readonly name: string;
  /** Milliseconds that a cookie lives; 0: as long as the browser's session. */
  readonly ttlMs: number;
}

export interface AppRoute {
  /** The document, such as `HTTPRoute canary`. */
  readonly source: string;
  /** `grpc` rules see only gRPC calls. */
  readonly protocol: 'any' | 'grpc';
  readonly match: RouteMatch;
  /** Position among rules of one app: the greater one comes first, the first difference counts. */
  readonly rank: readonly number[];
  readonly filters: RouteFilters;
  readonly backends: readonly Backend[];
  /** For everything together and for one try, milliseconds; 0: none, undefined: not said. */
  readonly requestMs?: number | undefined;
  readonly attemptMs?: number | undefined;
  readonly retry?: RetryRule | undefined;
  readonly session?: SessionPersistence | undefined;
}

/** @returns `<namespace>/<app id>`, with `@<version>` for a part of the instances */
export const refKey = ({ namespace, appId, version }: AppRef): string => `${namespace}/${appId}${version && `@${version}`}`;

/** @param name `<app id>` or `<app id>@<version>` */
export function parseAppName(name: string, namespace: string): AppRef {
  const [appId = '', version = ''] = name.split('@');
  return { namespace, appId, version };
}
