import { CorsPolicy } from '../../../gen/envoy/extensions/filters/http/cors/v3/cors.js';
import type { StringMatcher } from '../../../gen/envoy/type/matcher/v3/string.js';
import type { Any } from '../../../gen/google/protobuf/any.js';
import type { CorsRule } from '../../../model/traffic/route.js';
import { escapeRegex } from '../../../model/traffic/rule.js';
import { messageTypes, pack } from '../any.js';

export const CORS_FILTER = 'envoy.filters.http.cors';

const EVERY_METHOD = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

/** @returns which web pages may read the answers of one rule's routes. Preflights are Envoy's to answer, also those that it does not allow */
export const corsConfig = ({
  origins,
  credentials,
  methods,
  headers,
  exposed,
  maxAgeSeconds,
}: CorsRule): Record<string, Any> => ({
  [CORS_FILTER]: pack(
    messageTypes.corsPolicy,
    CorsPolicy.fromPartial({
      allowOriginStringMatch: origins.map(originMatch),
      // Browsers take `*` for a name when there are credentials.
      allowMethods: (methods.includes('*') ? EVERY_METHOD : methods).join(','),
      allowHeaders: headers.join(','),
      exposeHeaders: exposed.join(','),
      maxAge: String(maxAgeSeconds),
      allowCredentials: credentials,
      forwardNotMatchingPreflights: false,
    }),
  ),
});

function originMatch(origin: string): StringMatcher {
  if (!origin.includes('*')) return { matchPattern: { $case: 'exact', value: origin }, ignoreCase: true };
  const regex = origin === '*' ? '.*' : origin.split('*').map(escapeRegex).join('[^/]+');
  return { matchPattern: { $case: 'safeRegex', value: { regex, engineType: undefined } }, ignoreCase: false };
}
