import type { ConfigSource } from '../../../gen/envoy/config/core/v3/config_source.js';
import { ApiVersion } from '../../../gen/envoy/config/core/v3/config_source.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { reword } from '../local-reply.js';
import { duration } from '../values.js';
import type { FilterModule } from './module.js';

/** Filters that stand in a file beside Envoy, since they hold what the control plane must not know. Envoy answers 500 without its file. */

const TYPES = {
  apiToken: 'type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher',
  appToken: 'type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
} as const;

function fromFile(name: string, path: string, typeUrl: string): HttpFilter {
  const configSource: ConfigSource = {
    configSourceSpecifier: { $case: 'pathConfigSource', value: { path, watchedDirectory: undefined } },
    authorities: [],
    initialFetchTimeout: duration(5000),
    resourceApiVersion: ApiVersion.V3,
  };
  return HttpFilter.fromPartial({
    name,
    configType: { $case: 'configDiscovery', value: { configSource, typeUrls: [typeUrl] } },
  });
}

const replies = [
  reword({ from: 401, grpc: true, body: 'Unauthorized' }),
  reword({ from: 401, grpc: false, body: 'invalid api token' }),
];

/** The API token: on every listener of the API, so that no call that Envoy routes by itself goes around it. */
export const apiTokenFilter: FilterModule = {
  chain({ instance, direction }) {
    const path = instance.localFiles?.apiTokenFilter;
    return direction === 'api' && path ? fromFile('weft.api-token', path, TYPES.apiToken) : undefined;
  },
  replies: ({ instance, direction }) => (direction === 'api' && instance.localFiles?.apiTokenFilter ? replies : []),
};

/** The app token: on whatever reaches the app through Envoy. */
export const appTokenFilter: FilterModule = {
  chain({ instance, direction }) {
    const path = instance.localFiles?.appTokenFilter;
    return direction === 'inbound' && path ? fromFile('weft.app-token', path, TYPES.appToken) : undefined;
  },
};
