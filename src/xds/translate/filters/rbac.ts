import { RBAC } from '../../../gen/envoy/extensions/filters/http/rbac/v3/rbac.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { accessPolicy } from '../../../model/access/policy.js';
import { LISTENERS } from '../../../model/names.js';
import { messageTypes, pack } from '../any.js';
import { inboundAccess, selfAccess } from '../rbac-matcher.js';
import type { FilterModule } from './module.js';

const GRPC = new Set(['grpc', 'grpcs']);

/** `accessControl`, at the callee. Absent unless it forbids something. */
export const rbacFilter: FilterModule = {
  chain({ instance, settings, direction, listener }) {
    if (direction !== 'inbound') return undefined;
    const isGrpc = GRPC.has(instance.appProtocol);
    const policy = accessPolicy(settings.spec.accessControl, isGrpc ? 'grpc' : 'http');
    if (!policy) return undefined;
    const isSelf = listener === LISTENERS.self;
    const matcher = isSelf ? isGrpc && selfAccess(policy) : inboundAccess(policy, settings.profile.mtls === 'own');
    if (!matcher) return undefined;
    return HttpFilter.fromPartial({
      name: 'envoy.filters.http.rbac',
      configType: { $case: 'typedConfig', value: pack(messageTypes.rbac, { ...RBAC.fromPartial({}), matcher }) },
    });
  },
};
