import type { SecretService } from '../../blocks/secrets/service.js';
import { callerOf } from './caller.js';
import { sendJson } from './reply.js';
import type { HttpRoute } from './route.js';
import { queryMetadata } from './url.js';

/** The secrets API over HTTP (reference §1.6). */
export function secretRoutes(service: SecretService): HttpRoute[] {
  const base = { methods: ['GET'], versions: ['v1.0'], group: 'secrets' } as const;
  return [
    {
      ...base,
      operation: 'GetSecret',
      path: '/secrets/:store/:key',
      async handle(request, reply) {
        const { store, key } = request.params as { store: string; key: string };
        sendJson(reply, JSON.stringify(await service.get(store, key, queryMetadata(request), callerOf(reply))));
      },
    },
    {
      ...base,
      operation: 'GetBulkSecret',
      path: '/secrets/:store/bulk',
      async handle(request, reply) {
        const { store } = request.params as { store: string };
        sendJson(reply, JSON.stringify(await service.getAll(store, queryMetadata(request), callerOf(reply))));
      },
    },
  ];
}
