import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalFiles } from '../gen/weft/registry/v1/registry.js';

/**
 * Tokens for this sidecar's own Envoy, as filters in files that only this user can read. The control plane puts the files' names into the
 * listeners and never sees a token; Envoy shows both as redacted in its configuration dump. Without its file Envoy answers 500, so a
 * listener is never open by mistake. Envoy's own check of the API token (`api_key_auth`) is the one that hides it in its dumps; its authors call it
 * work in progress, so the filter service asks again for everything that it answers itself.
 */
export interface LocalSecretsOptions {
  /** The run directory. */
  readonly dir: string;
  readonly apiToken?: string | undefined;
  readonly appToken?: string | undefined;
}

const TYPE = 'type.googleapis.com/envoy';
const APP_TOKEN_SECRET = 'weft-app-token';

/** Writes what Envoy must read before it gets its listeners. @returns the files' names, for the control plane */
export function writeLocalSecrets({ dir, apiToken, appToken }: LocalSecretsOptions): LocalFiles {
  const write = (file: string, resource: object): string => {
    const path = join(dir, file);
    writeFileSync(path, JSON.stringify({ version_info: '1', resources: [resource] }), { mode: 0o600 });
    return path;
  };
  const apiTokenFilter = apiToken ? write('api-token.json', filter('weft.api-token', apiTokenCheck(apiToken))) : '';
  if (!appToken) return { apiTokenFilter, appTokenFilter: '' };
  const secret = write('app-token-secret.json', {
    '@type': `${TYPE}.extensions.transport_sockets.tls.v3.Secret`,
    name: APP_TOKEN_SECRET,
    generic_secret: { secret: { inline_string: appToken } },
  });
  return { apiTokenFilter, appTokenFilter: write('app-token.json', filter('weft.app-token', appTokenInjector(secret))) };
}

const filter = (name: string, config: object) => ({
  '@type': `${TYPE}.config.core.v3.TypedExtensionConfig`,
  name,
  typed_config: config,
});

const header = (name: string) => ({
  name: 'header',
  typed_config: { '@type': `${TYPE}.type.matcher.v3.HttpRequestHeaderMatchInput`, header_name: name },
});
const when = (name: string, value: object) => ({ single_predicate: { input: header(name), value_match: value } });

/** Everything but the two health checks needs the token (reference §1.1). The path is in its normal form here. */
const HEALTH_CHECKS = {
  and_matcher: {
    predicate: [
      when(':method', { exact: 'GET' }),
      when(':path', { safe_regex: { google_re2: {}, regex: '/v1\\.0/healthz(?:/outbound)?(?:\\?\\C*)?' } }),
    ],
  },
};

const apiTokenCheck = (token: string) => ({
  '@type': `${TYPE}.extensions.common.matching.v3.ExtensionWithMatcher`,
  extension_config: {
    name: 'envoy.filters.http.api_key_auth',
    typed_config: {
      '@type': `${TYPE}.extensions.filters.http.api_key_auth.v3.ApiKeyAuth`,
      credentials: [{ key: token, client: 'app' }],
      key_sources: [{ header: 'dapr-api-token' }],
    },
  },
  xds_matcher: {
    matcher_list: {
      matchers: [
        {
          predicate: HEALTH_CHECKS,
          on_match: {
            action: { name: 'skip', typed_config: { '@type': `${TYPE}.extensions.filters.common.matcher.action.v3.SkipFilter` } },
          },
        },
      ],
    },
  },
});

const appTokenInjector = (secretFile: string) => ({
  '@type': `${TYPE}.extensions.filters.http.credential_injector.v3.CredentialInjector`,
  overwrite: true,
  credential: {
    name: 'envoy.http.injected_credentials.generic',
    typed_config: {
      '@type': `${TYPE}.extensions.http.injected_credentials.generic.v3.Generic`,
      credential: {
        name: APP_TOKEN_SECRET,
        sds_config: { path_config_source: { path: secretFile }, resource_api_version: 'V3' },
      },
      header: 'dapr-api-token',
    },
  },
});
