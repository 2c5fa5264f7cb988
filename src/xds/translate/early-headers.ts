import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import type { HeaderMutation } from '../../gen/weft/envoy/v1/header_mutation.js';
import type { Instance } from '../../model/instance.js';
import { extension, messageTypes } from './any.js';
import { append, overwrite } from './values.js';

/**
 * Who may say what about a caller. These mutations run before any rule, route or filter reads a header, and once for a request: a
 * listener's own identity headers stand here and not in the routes, so that all nodes of a namespace share one route table.
 */

const remove = (name: string): HeaderMutation => ({ action: { $case: 'remove', value: name } });
const removePrefix = (prefix: string): HeaderMutation => ({
  action: {
    $case: 'removeOnMatch',
    value: { keyMatcher: { matchPattern: { $case: 'prefix', value: prefix }, ignoreCase: false } },
  },
});
const removeMatching = (regex: string): HeaderMutation => ({
  action: {
    $case: 'removeOnMatch',
    value: { keyMatcher: { matchPattern: { $case: 'safeRegex', value: { regex } }, ignoreCase: false } },
  },
});
const set = (name: string, value: string): HeaderMutation => ({ action: { $case: 'append', value: overwrite(name, value) } });
const add = (name: string, value: string): HeaderMutation => ({ action: { $case: 'append', value: append(name, value) } });

/** Would steer Envoy's retries and timeouts, or pass for its findings. */
const ENVOY_HEADERS = removePrefix('x-envoy-');
const FORWARDING = ['forwarded', 'x-forwarded-host', 'x-forwarded-client-cert'].map(remove);

const mutate = (mutations: readonly HeaderMutation[]): readonly TypedExtensionConfig[] => [
  extension('envoy.http.early_header_mutation.header_mutation', messageTypes.earlyHeaderMutation, { mutations: [...mutations] }),
];

/** For what the app (or anyone who reaches the API) sends: nothing that it says about who calls is believed. */
export const fromApp = ({ appId, namespace }: Instance): readonly TypedExtensionConfig[] =>
  mutate([
    ENVOY_HEADERS,
    ...FORWARDING,
    removePrefix('x-weft-'),
    removePrefix('dapr-caller-'),
    remove('x-dapr-remote'),
    set('dapr-caller-app-id', appId),
    set('dapr-caller-namespace', namespace),
  ]);

/** The other end of the connection, whatever X-Forwarded-For says. */
const PEER = '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%';
const API_ONLY = ['dapr-app-id', 'dapr-api-token'].map(remove);
/** Every `x-weft-` header but `x-weft-to`, which the other sidecar has set. RE2 knows no look-ahead. */
const OURS = removeMatching('x-weft-([^t].*|t|t[^o].*|to.+)');
const NOT_FOR_INBOUND = [ENVOY_HEADERS, ...FORWARDING, ...API_ONLY, OURS, remove('x-dapr-remote')];

/** For what another sidecar sends: it has stamped the caller; where the call came from is seen here. */
export const fromSidecar: readonly TypedExtensionConfig[] = mutate([
  ...NOT_FOR_INBOUND,
  add('x-forwarded-for', PEER),
  set('x-forwarded-host', '%REQ(:AUTHORITY)%'),
  set('forwarded', `for=${PEER};by=%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%;host=%REQ(:AUTHORITY)%`),
]);

/** For calls of an app to itself: as from another sidecar, but nothing was forwarded. */
export const fromSelf: readonly TypedExtensionConfig[] = mutate(NOT_FOR_INBOUND);
