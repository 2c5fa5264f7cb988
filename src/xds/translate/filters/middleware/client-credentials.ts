import { CredentialInjector } from '../../../../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector.js';
import { OAuth2, OAuth2_AuthType } from '../../../../gen/envoy/extensions/http/injected_credentials/oauth2/v3/oauth2.js';
import type { ClientCredentials } from '../../../../model/middleware/types.js';
import { extension, messageTypes, pack } from '../../any.js';
import { httpUri, originCluster } from './http-server.js';
import type { Applied, Place } from './module.js';
import { inPath } from './path-filter.js';
import { localSecret } from './secret.js';

/** Adds a token of our own to each call. Without one, because the issuer does not answer, a call is refused with 401. */
export function clientCredentials({ middleware, step }: Place<ClientCredentials>): Applied {
  const { clientId, tokenUrl, scopes, inBody, pathFilter } = middleware;
  const oauth2 = OAuth2.fromPartial({
    tokenEndpoint: httpUri(tokenUrl),
    scopes: [...scopes],
    flowType: {
      $case: 'clientCredentials',
      value: {
        clientId,
        clientSecret: localSecret(step, 'clientSecret'),
        authType: inBody ? OAuth2_AuthType.URL_ENCODED_BODY : OAuth2_AuthType.BASIC_AUTH,
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
