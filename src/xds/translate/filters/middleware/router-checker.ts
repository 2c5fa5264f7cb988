import type { Permission } from '../../../../gen/envoy/config/rbac/v3/rbac.js';
import { RBAC_Action } from '../../../../gen/envoy/config/rbac/v3/rbac.js';
import { RBAC } from '../../../../gen/envoy/extensions/filters/http/rbac/v3/rbac.js';
import type { RouterChecker } from '../../../../model/middleware/types.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails } from '../../local-reply.js';
import type { Applied, Place } from './module.js';
import { anywhere } from './path-filter.js';

/** Refuses what the rule is not found in. */
export function routerChecker({ middleware, name }: Place<RouterChecker>): Applied {
  const rule: Permission = {
    rule: {
      $case: 'header',
      value: {
        name: ':path',
        headerMatchSpecifier: {
          $case: 'stringMatch',
          value: { matchPattern: { $case: 'safeRegex', value: { regex: anywhere(middleware.rule) } }, ignoreCase: false },
        },
        invertMatch: true,
        treatMissingHeaderAsEmpty: false,
      },
    } as Permission['rule'],
  };
  const policy = { permissions: [rule], principals: [{ identifier: { $case: 'any', value: true } as const }] };
  const config = RBAC.fromPartial({ rules: { action: RBAC_Action.DENY, policies: { [name]: policy } } });
  const details = `rbac_access_denied_matched_policy[${name}]`;
  return { config: pack(messageTypes.rbac, config), replies: [byDetails({ details, status: 400, body: 'invalid router' })] };
}
