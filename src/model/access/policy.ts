import { type SpiffeIdentity, spiffeId } from '../spiffe.js';
import { type Operation, type OperationSpec, operationsOf } from './operation.js';
import { isNormalPath } from './path-pattern.js';
import type { Action, AppKind } from './types.js';

/** Who may call what (reference §4.3), as the callee decides it. Pure: the translation to Envoy stands in xds/translate. */

/** `spec.accessControl` of a Configuration, as it stands in the file. */
export interface AccessControlSpec {
  readonly defaultAction?: Action | '';
  readonly trustDomain?: string;
  readonly policies?: readonly CallerSpec[];
}

interface CallerSpec {
  readonly appId: string;
  readonly defaultAction?: Action | '';
  readonly trustDomain?: string;
  readonly namespace?: string;
  readonly operations?: readonly OperationSpec[];
}

export interface AccessPolicy {
  /** For callers that are not in `callers`, and for those without an identity. */
  readonly defaultAction: Action;
  /** By SPIFFE ID. */
  readonly callers: ReadonlyMap<string, CallerPolicy>;
}

export interface CallerPolicy {
  readonly caller: SpiffeIdentity;
  /** Whether the default is its own, and not that of the whole: Dapr counts its decisions apart. */
  readonly ownDefault: boolean;
  /** For operations that none of `operations` covers, and for verbs that its operation does not name. */
  readonly defaultAction: Action;
  /** The first whose path matches decides: most specific first. */
  readonly operations: readonly Operation[];
}

/**
 * @param spec undefined: none was configured
 * @returns undefined when everything is allowed
 */
export function accessPolicy(spec: AccessControlSpec | undefined, kind: AppKind): AccessPolicy | undefined {
  const { defaultAction = '', trustDomain = '', policies = [] } = spec ?? {};
  // As Dapr: an empty block is no block, and policies without a default deny everybody else.
  if (defaultAction === '' && trustDomain === '' && policies.length === 0) return undefined;
  const global: Action = defaultAction || (policies.length > 0 ? 'deny' : 'allow');
  const callers = new Map<string, CallerPolicy>();
  for (const caller of policies) {
    const { appId, namespace = '', trustDomain = '' } = caller;
    const identity = { trustDomain, namespace, appId };
    callers.set(spiffeId(identity), {
      caller: identity,
      ownDefault: (caller.defaultAction ?? '') !== '',
      defaultAction: caller.defaultAction || global,
      operations: operationsOf(caller.operations ?? [], kind),
    });
  }
  const policy = { defaultAction: global, callers };
  return [policy, ...callers.values()].every(allowsAll) ? undefined : policy;
}

const allowsAll = (part: AccessPolicy | CallerPolicy) =>
  part.defaultAction === 'allow' && (!('operations' in part) || part.operations.length === 0);

/**
 * The decision as the callee's Envoy makes it.
 * @param call `path` is in its normal form, without query
 */
export function decide(
  policy: AccessPolicy,
  call: { readonly caller: string | undefined; readonly path: string; readonly verb: string },
): Action {
  const caller = call.caller === undefined ? undefined : policy.callers.get(call.caller);
  if (!caller) return policy.defaultAction;
  if (caller.operations.length === 0) return caller.defaultAction;
  if (!isNormalPath(call.path)) return 'deny';
  const operation = caller.operations.find(({ pattern }) => pattern.covers(call.path));
  return operation?.verbs.get(call.verb.toUpperCase()) ?? operation?.anyVerb ?? caller.defaultAction;
}
