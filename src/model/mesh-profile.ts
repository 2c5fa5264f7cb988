/** What this mesh does itself and what it leaves to a mesh that is there already (design §6). Frozen; translators read it and ask nothing else. */
export interface MeshProfile {
  readonly provider: 'none' | 'istio' | 'linkerd' | 'envoy-gateway' | 'generic';
  /** `own`: our certificates and TLS between sidecars; `off`: none; `defer`: the other mesh's. */
  readonly mtls: 'own' | 'off' | 'defer';
  /** `own`: Envoy and the filter service make spans as Configuration says; `off`: nobody does; `defer`: the other mesh does. */
  readonly tracing: 'own' | 'off' | 'defer';
  /** Of our certificates; empty unless `mtls` is `own`. */
  readonly trustDomain: string;
}
