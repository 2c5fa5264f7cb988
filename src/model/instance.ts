import type { Instance as AttachedInstance } from '../gen/weft/registry/v1/registry.js';

/** A sidecar as the registry knows it: what it said on Attach, and how its lease stands. */
export interface Instance extends Readonly<AttachedInstance> {
  /** `lost`: the stream broke but the lease still runs, so others are preferred; `withdrawn`: it is draining and no endpoint any more. */
  readonly lease: 'live' | 'lost' | 'withdrawn';
}

/** @returns in one word how the instance stands */
export function stateOf({ lease, proxySilent, appReady, appPort }: Instance): InstanceState {
  if (lease !== 'live') return lease;
  if (proxySilent) return 'envoy-silent';
  return appReady || appPort === 0 ? 'ready' : 'waiting-for-app';
}

export type InstanceState = 'ready' | 'waiting-for-app' | 'envoy-silent' | 'lost' | 'withdrawn';

/** @returns whether the app itself serves gRPC, with TLS or without */
export const isGrpcApp = ({ appProtocol }: Pick<Instance, 'appProtocol'>): boolean =>
  appProtocol === 'grpc' || appProtocol === 'grpcs';

/** @returns `<namespace>/<app id>` */
export const appKey = (app: { readonly namespace: string; readonly appId: string }): string => `${app.namespace}/${app.appId}`;

/** App ids are DNS labels as far as Dapr allows: letters, digits, `-` and `_`, no dots (a dot separates the namespace). */
export const APP_ID_PATTERN = /^[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$/;
export const NAMESPACE_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
