import { UsageError } from '../errors.js';
import { type MeshProfile, type MeshSpec, meshProblem, unsaid } from '../model/mesh-profile.js';

/** What the control plane was started with. */
export interface ControlPlaneSecurity {
  /** The trust domain of its certificate authority; undefined: it has none. */
  readonly trustDomain: string | undefined;
}

/** As Kubernetes names a Service, which every mesh there knows. */
const SERVICE = { hostName: '{app}.{namespace}.svc.cluster.local', port: 80 };

/**
 * @returns what this mesh does itself. Beside another mesh's proxy everything is left to that one unless the Configuration says
 * otherwise: two layers of TLS or two sets of spans help nobody.
 * @throws UsageError for fields that do not go together
 */
export function resolveProfile(spec: MeshSpec = {}, { trustDomain }: ControlPlaneSecurity): MeshProfile {
  const { provider = 'none', mtls = unsaid(spec), tracing = unsaid(spec), service } = spec;
  const problem = meshProblem(spec);
  if (problem) throw new UsageError(`Configuration spec.mesh.${problem.field}: ${problem.message}`);
  const own = mtls === 'own' && trustDomain !== undefined;
  return Object.freeze({
    provider,
    mtls: mtls === 'own' && !own ? 'off' : mtls,
    tracing,
    trustDomain: own ? trustDomain : '',
    service: mtls === 'defer' ? Object.freeze({ ...SERVICE, ...service }) : undefined,
  });
}

/** Nothing but plain calls between sidecars. */
export const PLAIN_PROFILE: MeshProfile = resolveProfile(undefined, { trustDomain: undefined });
