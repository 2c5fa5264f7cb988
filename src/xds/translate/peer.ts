import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import type { Filter } from '../../gen/envoy/config/listener/v3/listener_components.js';
import { RBAC_Action } from '../../gen/envoy/config/rbac/v3/rbac.js';
import { RBAC } from '../../gen/envoy/extensions/filters/network/rbac/v3/rbac.js';
import type { HeaderMutation } from '../../gen/weft/envoy/v1/header_mutation.js';
import { SetConnectionState } from '../../gen/weft/envoy/v1/set_filter_state.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { svidPattern } from '../../model/spiffe.js';
import { extension, type MessageType, messageTypes, pack } from './any.js';
import { overwrite } from './values.js';

/**
 * Who calls, from the certificate alone. Once a connection, the TLS handshake writes the caller's app id and namespace into the
 * connection's state, which nothing else writes; each request's `dapr-caller-*` headers are made from there, whatever the caller has sent
 * under those names. So nothing that a peer sends can change whom it is taken for, and a request costs no parsing.
 */
const STATE = { ids: 'weft.peer.ids', app: 'weft.peer.app', namespace: 'weft.peer.namespace' } as const;

const networkFilter = <T>(name: string, type: MessageType<T>, message: T): Filter => ({
  name,
  configType: { $case: 'typedConfig', value: pack(type, message) },
});

const state = (objectKey: string, format: string) => ({
  key: { $case: 'objectKey', value: objectKey } as const,
  factoryKey: 'envoy.string',
  value: {
    $case: 'formatString',
    value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: format } } } },
  } as const,
});

const part = (group: 1 | 2) =>
  `%CEL(re.extract(connection.uri_san_peer_certificate, '^spiffe://[^/]+/ns/([^/]+)/([^/]+)$', '\\\\${group}'))%`;

/**
 * The TLS layer accepts a certificate when any of its URI names fits. One with two names is nobody's (X509-SVID §2), so a connection
 * whose list of names is not one well-formed name is closed before its first request.
 */
export const peerFilters = ({ trustDomain }: MeshProfile): readonly Filter[] => [
  networkFilter(
    'envoy.filters.network.set_filter_state',
    messageTypes.setConnectionState,
    SetConnectionState.fromPartial({
      onDownstreamTlsHandshake: [
        state(STATE.ids, '%DOWNSTREAM_PEER_URI_SAN%'),
        state(STATE.namespace, part(1)),
        state(STATE.app, part(2)),
      ],
    }),
  ),
  networkFilter(
    'envoy.filters.network.rbac',
    messageTypes.networkRbac,
    RBAC.fromPartial({
      statPrefix: 'peer.',
      rules: {
        action: RBAC_Action.ALLOW,
        policies: {
          'one-name': {
            permissions: [{ rule: { $case: 'any', value: true } }],
            principals: [{ identifier: { $case: 'filterState', value: oneName(trustDomain) } }],
          },
        },
      },
    }),
  ),
];

const oneName = (trustDomain: string) => ({
  key: STATE.ids,
  matcher: {
    $case: 'stringMatch',
    value: { matchPattern: { $case: 'safeRegex', value: { regex: svidPattern(trustDomain) } }, ignoreCase: false },
  } as const,
});

const fromState = (header: string, key: string): readonly HeaderMutation[] => [
  // Removed first: a header whose new value is empty would stay as it was sent.
  { action: { $case: 'remove', value: header } },
  { action: { $case: 'append', value: overwrite(header, `%FILTER_STATE(${key}:PLAIN)%`) } },
];

/** The caller's headers as its certificate has them; after every other early mutation. */
export const certifiedCaller: TypedExtensionConfig = extension(
  'envoy.http.early_header_mutation.header_mutation',
  messageTypes.earlyHeaderMutation,
  { mutations: [...fromState('dapr-caller-app-id', STATE.app), ...fromState('dapr-caller-namespace', STATE.namespace)] },
);
