import { StatefulSession } from '../../../gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { messageTypes, pack } from '../any.js';
import { isBehind } from '../traced-calls.js';
import { SESSION_FILTER } from '../traffic/session.js';
import type { FilterModule } from './module.js';

const filter = HttpFilter.fromPartial({
  name: SESSION_FILTER,
  configType: { $case: 'typedConfig', value: pack(messageTypes.statefulSession, StatefulSession.fromPartial({})) },
});

/** Session persistence, where a rule asks for it; by itself the filter does nothing. */
export const statefulSessionFilter: FilterModule = {
  chain: ({ direction, settings, listener }) =>
    direction === 'api' && (settings.sessions || isBehind(listener)) ? filter : undefined,
};
