import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import type { HeaderMutation } from '../../gen/weft/envoy/v1/header_mutation.js';
import type { Instance } from '../../model/instance.js';
import { extension, messageTypes } from './any.js';
import { append, overwrite } from './values.js';

/**
 * Who may say what about a caller. These mutations run before any rule, route or filter reads a header, and once for a request: a
 * listener's own identity headers stand here and not in the routes, so that all nodes of a namespace share one route table.
 * They are on the hot path, so each list is as short as it can be. `x-forwarded-client-cert` is not in them: Envoy drops it by default.
 */

const remove = (name: string): HeaderMutation => ({ action: { $case: 'remove', value: name } });
const removePrefix = (prefix: string): HeaderMutation => ({
  action: {
    $case: 'removeOnMatch',
    value: { keyMatcher: { matchPattern: { $case: 'prefix', value: prefix }, ignoreCase: false } },
  },
});
const set = (name: string, value: string): HeaderMutation => ({ action: { $case: 'append', value: overwrite(name, value) } });
const add = (name: string, value: string): HeaderMutation => ({ action: { $case: 'append', value: append(name, value) } });

/** Would steer Envoy's retries and timeouts, or pass for its findings. */
const ENVOY_HEADERS = removePrefix('x-envoy-');

const mutate = (mutations: HeaderMutation[]): readonly TypedExtensionConfig[] => [
  extension('envoy.http.early_header_mutation.header_mutation', messageTypes.earlyHeaderMutation, { mutations }),
];

/** For what the app (or anyone who reaches the API) sends: nothing that it says about who calls is believed. */
export const fromApp = ({ appId, namespace }: Instance): readonly TypedExtensionConfig[] =>
  mutate([
    ENVOY_HEADERS,
    removePrefix('x-weft-'),
    remove('forwarded'),
    remove('x-forwarded-host'),
    set('dapr-caller-app-id', appId),
    set('dapr-caller-namespace', namespace),
  ]);

/** The other end of the connection, whatever X-Forwarded-For says. */
const PEER = '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%';

/** For what another sidecar sends: it has stamped the caller and let nothing forged through; where the call came from is seen here. */
export const fromSidecar: readonly TypedExtensionConfig[] = mutate([
  ENVOY_HEADERS,
  add('x-forwarded-for', PEER),
  set('x-forwarded-host', '%REQ(:AUTHORITY)%'),
  set('forwarded', `for=${PEER};by=%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%;host=%REQ(:AUTHORITY)%`),
]);

/** For calls of an app to itself: as from another sidecar, but nothing was forwarded. */
export const fromSelf: readonly TypedExtensionConfig[] = mutate([ENVOY_HEADERS]);
