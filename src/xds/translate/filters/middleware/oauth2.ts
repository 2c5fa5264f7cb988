import { createHash } from 'node:crypto';
import { OAuth2, OAuth2Config_AuthType } from '../../../../gen/envoy/extensions/filters/http/oauth2/v3/oauth.js';
import type { OAuth2 as OAuth2Middleware } from '../../../../model/middleware/types.js';
import { messageTypes, pack } from '../../any.js';
import { httpUri, originCluster } from './http-server.js';
import type { Applied, Place } from './module.js';
import { inPath } from './path-filter.js';
import { localSecret } from './secret.js';

const exact = (path: string) => ({
  rule: { $case: 'path', value: { matchPattern: { $case: 'exact', value: path }, ignoreCase: false } } as const,
});

/** The authorization code flow: who has not signed in is sent to the issuer; who has brings signed cookies, and the app gets the token. */
export function oauth2({ middleware, step }: Place<OAuth2Middleware>): Applied {
  const { clientId, authUrl, tokenUrl, redirectUrl, scopes, pathFilter } = middleware;
  const callback = new URL(redirectUrl).pathname;
  // Two of them in one chain, or two apps on one host, must not take each other's cookies.
  const cookie = createHash('sha256').update(`${step.handler.name} ${clientId} ${authUrl}`).digest('hex').slice(0, 8);
  const config = OAuth2.fromPartial({
    config: {
      tokenEndpoint: httpUri(tokenUrl),
      authorizationEndpoint: authUrl,
      redirectUri: redirectUrl,
      redirectPathMatcher: exact(callback),
      // Dapr has none; a path that no client can ask for, since it holds a blank.
      signoutPath: exact('/ no sign-out'),
      credentials: {
        clientId,
        tokenSecret: localSecret(step, 'clientSecret'),
        tokenFormation: { $case: 'hmacSecret', value: localSecret(step, 'hmac') },
        cookieNames: {
          bearerToken: `BearerToken-${cookie}`,
          oauthHmac: `OauthHMAC-${cookie}`,
          oauthExpires: `OauthExpires-${cookie}`,
          idToken: `IdToken-${cookie}`,
          refreshToken: `RefreshToken-${cookie}`,
        },
      },
      authScopes: [...scopes],
      authType: OAuth2Config_AuthType.URL_ENCODED_BODY,
      forwardBearerToken: true,
    },
  });
  return {
    config: pack(messageTypes.oauth2, config),
    clusters: [originCluster(tokenUrl)],
    ...(pathFilter === undefined ? {} : { onlyPaths: `${inPath(pathFilter)}|${inPath(`^${escapeRegex(callback)}$`)}` }),
  };
}

const escapeRegex = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
