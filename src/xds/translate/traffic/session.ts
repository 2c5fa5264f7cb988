import {
  StatefulSession,
  StatefulSessionPerRoute,
} from '../../../gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.js';
import { CookieBasedSessionState } from '../../../gen/envoy/extensions/http/stateful_session/cookie/v3/cookie.js';
import { HeaderBasedSessionState } from '../../../gen/envoy/extensions/http/stateful_session/header/v3/header.js';
import type { Any } from '../../../gen/google/protobuf/any.js';
import type { SessionPersistence } from '../../../model/traffic/route.js';
import { extension, messageTypes, pack } from '../any.js';
import { duration } from '../values.js';

export const SESSION_FILTER = 'envoy.filters.http.stateful_session';

/** @returns what makes a caller keep its instance, for the routes of one rule */
export const sessionConfig = (session: SessionPersistence): Record<string, Any> => ({
  [SESSION_FILTER]: pack(
    messageTypes.statefulSessionPerRoute,
    StatefulSessionPerRoute.fromPartial({
      override: { $case: 'statefulSession', value: StatefulSession.fromPartial({ sessionState: stateOf(session) }) },
    }),
  ),
});

/** The instance's address travels with the caller, so that no sidecar has to remember anything. */
const stateOf = ({ by, name, ttlMs }: SessionPersistence) =>
  by === 'header'
    ? extension('envoy.http.stateful_session.header', messageTypes.headerSession, HeaderBasedSessionState.fromPartial({ name }))
    : extension(
        'envoy.http.stateful_session.cookie',
        messageTypes.cookieSession,
        CookieBasedSessionState.fromPartial({ cookie: { name, ttl: duration(ttlMs), path: '/' } }),
      );
