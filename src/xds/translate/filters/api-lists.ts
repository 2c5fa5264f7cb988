import type { Permission } from '../../../gen/envoy/config/rbac/v3/rbac.js';
import { RBAC_Action } from '../../../gen/envoy/config/rbac/v3/rbac.js';
import { RBAC } from '../../../gen/envoy/extensions/filters/http/rbac/v3/rbac.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { apiBlock } from '../../../model/access/api-rules.js';
import { LISTENERS } from '../../../model/names.js';
import { messageTypes, pack } from '../any.js';
import { reword } from '../local-reply.js';
import { API_VERSIONS } from '../route.js';
import type { FilterContext, FilterModule } from './module.js';

/**
 * `spec.api` for what Envoy routes by itself: calls by name and actor calls on the Envoy door's ports. All else is the filter service's to
 * refuse, and so are the service door's ports. gRPC proxying is no part of the API's lists, as in Dapr.
 */
export const apiListFilter: FilterModule = {
  chain(context) {
    const rules = blocked(context);
    if (rules.length === 0) return undefined;
    const policy = { permissions: rules, principals: [{ identifier: { $case: 'any', value: true } as const }] };
    const rbac = RBAC.fromPartial({ rules: { action: RBAC_Action.DENY, policies: { api: policy } } });
    return HttpFilter.fromPartial({
      name: 'weft.api-lists',
      configType: { $case: 'typedConfig', value: pack(messageTypes.rbac, rbac) },
    });
  },
  replies: (context) => (blocked(context).length > 0 ? replies : []),
};

/** As if the route were not there. */
const replies = [
  reword({
    from: 403,
    to: 404,
    grpc: false,
    body: {
      errorCode: 'ERR_DIRECT_INVOKE',
      message: 'failed getting app id either from the URL path or the header dapr-app-id',
    },
  }),
];

function blocked({ settings, listener }: FilterContext): Permission[] {
  const block = apiBlock(settings.spec.api, 'http');
  const invoke = block?.('invoke', 'v1.0') ?? false;
  const actors = block?.('actors', 'v1.0') ?? false;
  if (listener === LISTENERS.apiGrpc) return aroundHttpPort(invoke || actors, settings.pipelines.http.length > 0);
  if (listener !== LISTENERS.apiHttp && listener !== LISTENERS.door) return [];
  const calls = [under('/v1.0/invoke/'), not(any(API_VERSIONS.map(under)))];
  return [...(invoke ? calls : []), ...(actors ? [under('/v1.0/actors/')] : [])];
}

/** The HTTP API on the gRPC port is a way around what holds on its own port. */
function aroundHttpPort(blocks: boolean, pipeline: boolean): Permission[] {
  if (pipeline) return [not(grpcContent), ...API_VERSIONS.map(under)];
  return blocks ? [not(grpcContent)] : [];
}

const under = (prefix: string): Permission => ({
  rule: {
    $case: 'urlPath',
    value: { rule: { $case: 'path', value: { matchPattern: { $case: 'prefix', value: prefix }, ignoreCase: false } } },
  },
});
const any = (rules: Permission[]): Permission => ({ rule: { $case: 'orRules', value: { rules } } });
const not = (rule: Permission): Permission => ({ rule: { $case: 'notRule', value: rule } });
const grpcContent: Permission = {
  rule: {
    $case: 'header',
    value: {
      name: 'content-type',
      headerMatchSpecifier: {
        $case: 'stringMatch',
        value: { matchPattern: { $case: 'prefix', value: 'application/grpc' }, ignoreCase: false },
      },
      invertMatch: false,
      treatMissingHeaderAsEmpty: false,
    },
  },
};
