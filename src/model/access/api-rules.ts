/** `spec.api` of a Configuration: which parts of the sidecar's API its app may use (reference §1.1). */
export interface ApiSpec {
  readonly allowed?: readonly ApiRule[];
  readonly denied?: readonly ApiRule[];
}

interface ApiRule {
  readonly name: string;
  readonly version?: string;
  readonly protocol?: ApiProtocol;
}

export type ApiProtocol = 'http' | 'grpc';

/** True: the part `group` of the API must not be served in `version`, such as `v1.0` or `v1alpha1`. */
export type ApiBlock = (group: string, version: string) => boolean;

const NEVER_BLOCKED = 'healthz';

/**
 * @returns undefined when nothing is blocked. A denial that leaves its version or protocol out is for every one; an allowance that does
 * allows nothing, as in Dapr.
 */
export function apiBlock(spec: ApiSpec | undefined, protocol: ApiProtocol): ApiBlock | undefined {
  const denied = (spec?.denied ?? []).filter((rule) => (rule.protocol ?? protocol) === protocol);
  const allowed = (spec?.allowed ?? []).filter((rule) => rule.protocol === protocol);
  if (denied.length === 0 && allowed.length === 0) return undefined;
  return (group, version) => {
    if (group === NEVER_BLOCKED) return false;
    const covers = (rule: ApiRule) => rule.name === group && shortVersion(rule.version ?? '') === shortVersion(version);
    if (denied.some((rule) => rule.name === group && (!rule.version || covers(rule)))) return true;
    return allowed.length > 0 && !allowed.some(covers);
  };
}

/** The API writes `v1.0-alpha1` what rules call `v1alpha1`; rules may write either. */
const shortVersion = (version: string) => version.replace(/^v1\.0-?/, 'v1');
