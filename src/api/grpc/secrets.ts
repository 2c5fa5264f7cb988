import type { SecretService } from '../../blocks/secrets/service.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

/** The secrets API over gRPC (reference §3.7). */
export function secretMethods(service: SecretService): DaprMethods {
  return {
    getSecret: unary(async ({ storeName, key, metadata }) => ({ data: { ...(await service.get(storeName, key, metadata)) } })),
    getBulkSecret: unary(async ({ storeName, metadata }) => {
      const all = await service.getAll(storeName, metadata);
      return { data: Object.fromEntries(Object.entries(all).map(([name, secrets]) => [name, { secrets: { ...secrets } }])) };
    }),
  };
}
