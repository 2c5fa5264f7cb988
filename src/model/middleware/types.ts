/** What one handler of a pipeline does, as its component says. Secrets are not in it: they are the sidecar's. */
export type Middleware = RateLimit | Bearer | OAuth2 | ClientCredentials | RouterChecker | Compressor | ExtProc;

export interface RateLimit {
  readonly kind: 'rate-limit';
  readonly perSecond: number;
}

export interface Bearer {
  readonly kind: 'bearer';
  readonly issuer: string;
  readonly audience: string;
  /** Undefined: the issuer's own OpenID configuration tells; the sidecar asks it. */
  readonly jwksUrl: string | undefined;
}

export interface OAuth2 {
  readonly kind: 'oauth2';
  readonly clientId: string;
  readonly authUrl: string;
  readonly tokenUrl: string;
  readonly redirectUrl: string;
  readonly scopes: readonly string[];
  /** RE2, found anywhere in the path; undefined: every path. */
  readonly pathFilter: string | undefined;
}

export interface ClientCredentials {
  readonly kind: 'client-credentials';
  readonly clientId: string;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  readonly pathFilter: string | undefined;
}

export interface RouterChecker {
  readonly kind: 'router-checker';
  /** RE2, found anywhere in path and query. */
  readonly rule: string;
}

export interface Compressor {
  readonly kind: 'compressor';
  readonly minBytes: number;
  /** Empty: Envoy's own list. */
  readonly contentTypes: readonly string[];
}

/** A module in the filter service. */
export interface ExtProc {
  readonly kind: 'ext-proc';
  /** How long one answer of the module may take. */
  readonly timeoutMs: number;
  /** A call goes on when the module fails, in place of being refused. */
  readonly failOpen: boolean;
}
