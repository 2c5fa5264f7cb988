import { APP_ID_PATTERN, NAMESPACE_PATTERN } from './instance.js';

/** Who a workload is: `spiffe://<trust domain>/ns/<namespace>/<app id>`, Dapr's own form (reference §4.3). */
export interface SpiffeIdentity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly appId: string;
}

/** Trust domain names: lower-case letters, digits, `.`, `-` and `_` (SPIFFE-ID §2.1). */
export const TRUST_DOMAIN_PATTERN = /^[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?$/;
const MAX_ID_BYTES = 2048;

/** The control plane's own identity; no app can get it. */
export const CONTROL_PLANE = { namespace: 'weft-system', appId: 'weft-control-plane' } as const;

/** @returns the SPIFFE ID as a URI */
export const spiffeId = (identity: SpiffeIdentity): string =>
  `spiffe://${identity.trustDomain}/ns/${identity.namespace}/${identity.appId}`;

/**
 * Parses by splitting, not with a URL parser: a URL parser would normalise, and two spellings of one id must never be equal.
 * @returns undefined for anything but our exact form: no port, user, query, fragment, percent sign, empty or dot segment
 */
export function parseSpiffeId(uri: string): SpiffeIdentity | undefined {
  if (uri.length > MAX_ID_BYTES || !uri.startsWith('spiffe://')) return undefined;
  const [trustDomain, ns, namespace, appId, ...rest] = uri.slice('spiffe://'.length).split('/');
  if (ns !== 'ns' || rest.length > 0 || !trustDomain || !namespace || !appId) return undefined;
  if (!TRUST_DOMAIN_PATTERN.test(trustDomain) || !NAMESPACE_PATTERN.test(namespace) || !APP_ID_PATTERN.test(appId))
    return undefined;
  return { trustDomain, namespace, appId };
}

/** @returns a regular expression (RE2, whole text) of every id that a workload of `trustDomain` may have */
export const svidPattern = (trustDomain: string): string =>
  `spiffe://${trustDomain.replaceAll('.', '\\.')}/ns/[a-z0-9]([a-z0-9-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?`;
