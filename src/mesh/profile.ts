import type { MeshProfile } from '../model/mesh-profile.js';

/** `Configuration.spec.mesh`, as it stands in the file. */
export interface MeshSpec {
  readonly provider?: MeshProfile['provider'];
  readonly mtls?: 'own' | 'defer';
  readonly tracing?: 'own' | 'defer';
}

/** What the control plane was started with. */
export interface ControlPlaneSecurity {
  /** The trust domain of its certificate authority; undefined: it has none. */
  readonly trustDomain: string | undefined;
}

/**
 * @returns what this mesh does itself. Beside another mesh's proxy everything is left to that one unless the Configuration says
 * otherwise: two layers of TLS or two sets of spans help nobody.
 */
export function resolveProfile(spec: MeshSpec | undefined, { trustDomain }: ControlPlaneSecurity): MeshProfile {
  const provider = spec?.provider ?? 'none';
  const unsaid = provider === 'none' ? 'own' : 'defer';
  const mtls = spec?.mtls ?? unsaid;
  const own = mtls === 'own' && trustDomain !== undefined;
  return Object.freeze({
    provider,
    mtls: mtls === 'own' && !own ? 'off' : mtls,
    tracing: spec?.tracing ?? unsaid,
    trustDomain: own ? trustDomain : '',
  });
}

/** Nothing but plain calls between sidecars. */
export const PLAIN_PROFILE: MeshProfile = resolveProfile(undefined, { trustDomain: undefined });
