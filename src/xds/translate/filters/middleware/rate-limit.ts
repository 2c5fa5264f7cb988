import type { TokenBucket } from '../../../../gen/envoy/type/v3/token_bucket.js';
import { LocalRateLimit } from '../../../../gen/weft/envoy/v1/local_rate_limit.js';
import type { RateLimit } from '../../../../model/middleware/types.js';
import { messageTypes, pack } from '../../any.js';
import { byDetails } from '../../local-reply.js';
import { duration } from '../../values.js';
import type { Applied, Place } from './module.js';

/** As many clients have a bucket of their own at a time; the one unseen for longest makes room. */
const MAX_CLIENTS = 10_000;
const all = { defaultValue: { numerator: 100, denominator: 0 }, runtimeKey: '' };
const replies = [byDetails({ details: 'local_rate_limited', status: 429, body: 'You have reached maximum request limit.' })];

/** So many a second for each client's address, as Dapr documents it; over a Unix socket for all of them, since they have none. */
export function rateLimit({ middleware, name, knowsClients }: Place<RateLimit>): Applied {
  const tokenBucket = bucket(middleware.perSecond);
  const byClient = {
    rateLimits: [{ actions: [{ actionSpecifier: { $case: 'remoteAddress', value: {} } as const }] }],
    descriptors: [{ entries: [{ key: 'remote_address' }], tokenBucket }],
    maxDynamicDescriptors: MAX_CLIENTS,
    alwaysConsumeDefaultTokenBucket: false,
  };
  const config = LocalRateLimit.fromPartial({
    statPrefix: name,
    tokenBucket,
    filterEnabled: all,
    filterEnforced: all,
    ...(knowsClients ? byClient : {}),
  });
  return { config: pack(messageTypes.localRateLimit, config), replies };
}

/** A bucket that is full at first: below one a second, one that is filled less often. */
function bucket(perSecond: number): TokenBucket {
  const tokens = Math.max(1, Math.floor(perSecond));
  return {
    maxTokens: tokens,
    tokensPerFill: tokens,
    fillInterval: duration(Math.max(50, Math.round((tokens / perSecond) * 1000))),
  };
}
