import { CredentialInjector } from '../../../../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector.js';
import { OAuth2, OAuth2_AuthType } from '../../../../gen/envoy/extensions/http/injected_credentials/oauth2/v3/oauth2.js';
import type { ClientCredentials } from '../../../../model/middleware/types.js';
import { extension, messageTypes, pack } from '../../any.js';
import { duration } from '../../values.js';
import { httpUri, originCluster } from './http-server.js';
import type { Applied, Place } from './module.js';
import { inPath } from './path-filter.js';
import { localSecret } from './secret.js';

/** Adds a token of our own to each call. Without one, because the issuer does not answer, a call is refused with 401. */
export function clientCredentials({ middleware, step }: Place<ClientCredentials>): Applied {
  const { clientId, tokenUrl, scopes, pathFilter } = middleware;
  const oauth2 = OAuth2.fromPartial({
    tokenEndpoint: httpUri(tokenUrl),
    scopes: [...scopes],
    // The secret comes a moment after the filter, and the first attempt is made without it.
    tokenFetchRetryInterval: duration(1000),
    flowType: {
      $case: 'clientCredentials',
      value: {
        clientId,
        clientSecret: localSecret(step, 'clientSecret'),
        authType: OAuth2_AuthType.URL_ENCODED_BODY,
      },
    },
  });
  const credential = extension('envoy.http.injected_credentials.oauth2', messageTypes.injectedOauth2, oauth2);
  const config = CredentialInjector.fromPartial({ overwrite: true, credential });
  return {
    config: pack(messageTypes.credentialInjector, config),
    clusters: [originCluster(tokenUrl)],
    ...(pathFilter === undefined ? {} : { onlyPaths: inPath(pathFilter) }),
  };
}
