/** What this mesh does itself and what it leaves to a mesh that is there already (design §6). Frozen; translators read it and ask nothing else. */
export interface MeshProfile {
  readonly provider: 'none' | 'istio' | 'linkerd' | 'envoy-gateway' | 'generic';
  /** `own`: our certificates and TLS between sidecars; `off`: none; `defer`: the other mesh's. */
  readonly mtls: 'own' | 'off' | 'defer';
  /** `own`: Envoy and the filter service make spans as Configuration says; `off`: nobody does; `defer`: the other mesh does. */
  readonly tracing: 'own' | 'off' | 'defer';
  /** Of our certificates; empty unless `mtls` is `own`. */
  readonly trustDomain: string;
  /** How the other mesh names an app; undefined unless `mtls` is `defer`. */
  readonly service: MeshService | undefined;
}

/** Where the other mesh takes calls for an app, whose routes, splits and TLS then apply. */
export interface MeshService {
  /** With `{app}` and `{namespace}`. */
  readonly hostName: string;
  readonly port: number;
}

/** `Configuration.spec.mesh`, as it stands in the file. */
export interface MeshSpec {
  readonly provider?: MeshProfile['provider'];
  readonly mtls?: 'own' | 'defer';
  readonly tracing?: 'own' | 'defer';
  readonly service?: Partial<MeshService>;
}

/** What is left to a mesh unless the Configuration says otherwise. */
export const unsaid = ({ provider = 'none' }: MeshSpec): 'own' | 'defer' => (provider === 'none' ? 'own' : 'defer');

/** @returns what does not go together in a switch whose fields are each right, with the field that is to be changed */
export function meshProblem(spec: MeshSpec): { readonly field: keyof MeshSpec; readonly message: string } | undefined {
  const { provider = 'none', mtls = unsaid(spec), service } = spec;
  for (const field of ['mtls', 'tracing'] as const)
    if (provider === 'none' && spec[field] === 'defer')
      return { field, message: 'leaves it to a mesh, and provider names none; set provider (generic stands for any mesh)' };
  if (service && mtls === 'own')
    return {
      field: 'service',
      message: 'is where the other mesh takes calls, and mtls: own sends it none; remove it or set mtls: defer',
    };
  return undefined;
}
