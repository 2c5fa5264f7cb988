import { RBAC } from '../../../gen/envoy/extensions/filters/http/rbac/v3/rbac.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Matcher } from '../../../gen/xds/type/matcher/v3/matcher.js';
import { accessPolicy } from '../../../model/access/policy.js';
import { isGrpcApp } from '../../../model/instance.js';
import { metricsEnabled } from '../../../model/metrics/spec.js';
import { LISTENERS } from '../../../model/names.js';
import { messageTypes, pack } from '../any.js';
import { reword } from '../local-reply.js';
import { inboundAccess, selfAccess } from '../rbac-matcher.js';
import type { FilterContext, FilterModule } from './module.js';

/** Which rule it was is nobody's business. */
const DENIED = 'access control policy has denied access';
const replies = [
  reword({ from: 403, grpc: true, body: DENIED }),
  reword({
    from: 403,
    grpc: false,
    body: { errorCode: 'ERR_DIRECT_INVOKE', message: `failed to invoke, id: %REQ(dapr-callee-app-id)%, err: ${DENIED}` },
  }),
];

/** `accessControl`, at the callee. Absent unless it forbids something. */
export const rbacFilter: FilterModule = {
  chain(context) {
    const matcher = accessMatcher(context);
    if (!matcher) return undefined;
    const trackPerRuleStats = context.listener === LISTENERS.inbound && metricsEnabled(context.settings.spec);
    const config = { ...RBAC.fromPartial({ trackPerRuleStats }), matcher };
    return HttpFilter.fromPartial({
      name: 'envoy.filters.http.rbac',
      configType: { $case: 'typedConfig', value: pack(messageTypes.rbac, config) },
    });
  },
  replies: (context) => (accessMatcher(context) ? replies : []),
};

function accessMatcher({ instance, settings, direction, listener }: FilterContext): Matcher | undefined {
  const { accessControl } = settings.spec;
  if (direction !== 'inbound' || !accessControl) return undefined;
  const isGrpc = isGrpcApp(instance);
  const policy = accessPolicy(accessControl, isGrpc ? 'grpc' : 'http');
  if (!policy) return undefined;
  if (listener === LISTENERS.self) return isGrpc ? selfAccess(policy) : undefined;
  return inboundAccess(policy, settings.profile.mtls === 'own');
}
