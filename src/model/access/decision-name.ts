import type { SpiffeIdentity } from '../spiffe.js';

/** What Envoy calls a decision of an access policy, and counts it by: `app public/shop/orders operation`, `global default`. */
export interface DecisionName {
  /** As Dapr tells them apart: an action of the caller's own policy, or the `defaultAction` of the whole. */
  readonly scope: 'app' | 'global';
  /** Undefined: one that no policy names, or that has no certificate. */
  readonly caller: SpiffeIdentity | undefined;
}

/** A dot would end a part of the counter's name; no trust domain has the other. */
const DOT = ':';

/** @param by what of the policy it was, for those who read Envoy's configuration */
export function decisionName({ scope, caller }: DecisionName, by: string): string {
  const id = caller ? [`${caller.trustDomain.replaceAll('.', DOT)}/${caller.namespace}/${caller.appId}`] : [];
  return [scope, ...id, by].join(' ');
}

/** @returns undefined: a decision that no access policy made */
export function readDecisionName(name: string): DecisionName | undefined {
  const [scope, id = '', by] = name.split(' ');
  if (scope !== 'app' && scope !== 'global') return undefined;
  const [trustDomain = '', namespace = '', appId = ''] = id.replaceAll(DOT, '.').split('/');
  return { scope, caller: by === undefined ? undefined : { trustDomain, namespace, appId } };
}
