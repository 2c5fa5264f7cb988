import { appKey, type Instance, stateOf } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import type { TargetResiliency } from '../model/traffic/resiliency.js';
import { type AppRef, type AppRoute, type RetryRule, refKey } from '../model/traffic/route.js';
import { changedPath, selectRoute, type TrafficRequest } from '../model/traffic/select.js';
import { steering, trafficView } from '../model/traffic/view.js';

/** Where a call goes, and why. */
export interface Explanation {
  readonly caller: string;
  readonly app: string;
  /** The document whose rule takes the call; `app`: no rule is about it; `refused`: rules are, and none takes it. */
  readonly rule: string;
  readonly match?: AppRoute['match'];
  readonly backends: readonly ExplainedBackend[];
  readonly redirect?: AppRoute['filters']['redirect'];
  readonly mirrors: readonly string[];
  /** What the app sees. */
  readonly path: string;
  /** Milliseconds; 0: no limit. */
  readonly requestTimeoutMs: number;
  readonly attemptTimeoutMs: number;
  /** Undefined: only what never reached the app is tried again. */
  readonly retry?: RetryRule;
  readonly circuitBreaker?: TargetResiliency['breaker'];
}

export interface ExplainedBackend {
  readonly app: string;
  readonly percent: number;
  readonly instances: readonly { readonly instanceId: string; readonly state: string }[];
}

export interface ExplainQuery extends TrafficRequest {
  readonly target: { readonly namespace?: string | undefined; readonly appId: string };
  /** App id of the caller; absent: any instance, preferably one in the target's namespace. */
  readonly from?: string | undefined;
}

/** @returns undefined: no instance of the caller is attached */
export function explain(model: MeshModel, query: ExplainQuery): Explanation | undefined {
  const caller = callerOf(model, query);
  if (!caller) return undefined;
  const { appId, namespace = caller.namespace } = query.target;
  const target: AppRef = { namespace, appId, version: '' };
  const view = trafficView(steering(model.resourcesFor(caller).policies), caller.namespace);
  const traffic = view.app(target);
  const selection = selectRoute(traffic, query);
  const route = typeof selection === 'object' ? selection.route : undefined;
  const resiliency = traffic?.resiliency;
  const backends = route ? route.backends : selection === 'app' ? [{ app: target, weight: 1 }] : [];
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  return {
    caller: appKey(caller),
    app: refKey(target),
    rule: route ? route.source : String(selection),
    ...(route ? { match: route.match } : {}),
    backends: backends.map(({ app, weight }) => ({
      app: refKey(app),
      percent: total === 0 ? 0 : Math.round((1000 * weight) / total) / 10,
      instances: instancesOf(model, app),
    })),
    ...(route?.filters.redirect ? { redirect: route.filters.redirect } : {}),
    mirrors: (route?.filters.mirrors ?? []).map(({ app }) => refKey(app)),
    path: route ? changedPath(route.match.path, route.filters.rewrite?.path, query.path) : query.path,
    requestTimeoutMs: route?.requestMs ?? 0,
    attemptTimeoutMs: route?.attemptMs ?? resiliency?.timeoutMs ?? 0,
    ...withRetry(route?.retry ?? resiliency?.retry),
    ...(resiliency?.breaker ? { circuitBreaker: resiliency.breaker } : {}),
  };
}

const withRetry = (retry: RetryRule | undefined) => (retry ? { retry } : {});

function callerOf({ instances }: MeshModel, { from, target }: ExplainQuery): Instance | undefined {
  if (from !== undefined) return instances.find(({ appId }) => appId === from);
  return instances.find(({ namespace }) => namespace === (target.namespace ?? 'default')) ?? instances[0];
}

const instancesOf = ({ instances }: MeshModel, app: AppRef) =>
  instances
    .filter(
      ({ appId, namespace, labels }) =>
        appId === app.appId && namespace === app.namespace && (app.version === '' || labels.version === app.version),
    )
    .map((instance) => ({ instanceId: instance.instanceId, state: stateOf(instance) }));
