import { JwtAuthentication } from '../../../../gen/envoy/extensions/filters/http/jwt_authn/v3/config.js';
import type { Bearer } from '../../../../model/middleware/types.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails } from '../../local-reply.js';
import { duration } from '../../values.js';
import { httpUri, originCluster } from './http-server.js';
import type { Applied, Place } from './module.js';

// As Dapr has them.
const CACHE_MS = 600_000;
const CLOCK_SKEW_SECONDS = 300;
const REFETCH_MS = 2000;

const replies = [byDetails({ prefix: 'jwt_authn_access_denied', status: 401, body: 'Unauthorized' })];

/** A token in `Authorization: Bearer`, signed with one of the issuer's keys, for our audience. It goes on to the app, as in Dapr. */
export function bearer({ middleware, step, name }: Place<Bearer>): Applied {
  const { issuer, audience, jwksUrl = step.local?.jwksUrl ?? '' } = middleware;
  const config = JwtAuthentication.fromPartial({
    providers: {
      [name]: {
        issuer,
        audiences: [audience],
        clockSkewSeconds: CLOCK_SKEW_SECONDS,
        requireExpiration: false,
        forward: true,
        fromHeaders: [{ name: 'Authorization', valuePrefix: 'Bearer ' }],
        jwksSourceSpecifier: {
          $case: 'remoteJwks',
          value: {
            httpUri: httpUri(jwksUrl),
            cacheDuration: duration(CACHE_MS),
            // In the background: no call waits for keys that have grown old, and no listener for an issuer that is down.
            asyncFetch: { fastListener: true, failedRefetchDuration: duration(REFETCH_MS) },
          },
        },
      },
    },
    rules: [
      {
        match: { pathSpecifier: { $case: 'prefix', value: '/' } },
        requirementType: { $case: 'requires', value: { requiresType: { $case: 'providerName', value: name } } },
      },
    ],
  });
  return { config: pack(messageTypes.jwtAuthn, config), replies, clusters: [originCluster(jwksUrl)] };
}
