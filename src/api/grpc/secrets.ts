import type { SecretService } from '../../blocks/secrets/service.js';
import { callerOf } from './caller.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

/** The secrets API over gRPC (reference §3.7). */
export function secretMethods(service: SecretService): DaprMethods {
  return {
    getSecret: unary(async ({ storeName, key, metadata }, call) => ({
      data: { ...(await service.get(storeName, key, metadata, callerOf(call))) },
    })),
    getBulkSecret: unary(async ({ storeName, metadata }, call) => {
      const all = await service.getAll(storeName, metadata, callerOf(call));
      return { data: Object.fromEntries(Object.entries(all).map(([name, secrets]) => [name, { secrets: { ...secrets } }])) };
    }),
  };
}
