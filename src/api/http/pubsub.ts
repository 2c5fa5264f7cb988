import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FailedEntry } from '../../blocks/pubsub/publisher.js';
import type { PubSubService } from '../../blocks/pubsub/service.js';
import { errorTable } from '../../errors.js';
import { httpTrace } from '../../telemetry/tracing/context.js';
import { callerOf } from './caller.js';
import { bulkEntries } from './pubsub-body.js';
import { sendEmpty } from './reply.js';
import type { HttpRoute } from './route.js';
import { queryMetadata } from './url.js';

type Params = { readonly pubsub?: string; readonly '*'?: string };

const NOTHING = Buffer.alloc(0);

/** Publishing over HTTP (reference §1.5). A topic may hold slashes. */
export function pubsubRoutes(service: PubSubService): HttpRoute[] {
  const base = { methods: ['POST', 'PUT'], group: 'publish' } as const;
  const publishOne: HttpRoute['handle'] = (request, reply) => publish(service, request, reply);
  const publishMany: HttpRoute['handle'] = (request, reply) => bulkPublish(service, request, reply);
  return [
    { ...base, versions: ['v1.0'], operation: 'PublishEvent', path: '/publish/:pubsub/*', handle: publishOne },
    // The server takes trailing slashes off: this is the empty topic, which has an error of its own.
    { ...base, versions: ['v1.0'], operation: 'PublishEvent', path: '/publish/:pubsub', handle: publishOne },
    // JavaScript's SDK uses the alpha path.
    {
      ...base,
      versions: ['v1.0', 'v1.0-alpha1'],
      operation: 'BulkPublishEvent',
      path: '/publish/bulk/:pubsub/*',
      handle: publishMany,
    },
  ];
}

function publish(service: PubSubService, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const published = service.publish({
    ...target(request),
    data: (request.body as Buffer | undefined) ?? NOTHING,
    contentType: request.headers['content-type'] ?? '',
    caller: callerOf(reply),
  });
  return published.then(() => sendEmpty(reply));
}

async function bulkPublish(service: PubSubService, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const where = target(request);
  service.check(where);
  const entries = bulkEntries((request.body as Buffer | undefined) ?? NOTHING, where);
  const failed = await service.bulkPublish({ ...where, entries, caller: callerOf(reply) });
  return failed.length === 0 ? sendEmpty(reply) : sendFailed(reply, failed);
}

function target(request: FastifyRequest) {
  const { pubsub = '', '*': topic = '' } = request.params as Params;
  return { pubsubName: pubsub, topic, metadata: queryMetadata(request), trace: httpTrace(request.headers) };
}

function sendFailed(reply: FastifyReply, failed: readonly FailedEntry[]): void {
  const { http, errorCode } = errorTable.pubsubPublish;
  reply
    .code(http)
    .header('content-type', 'application/json')
    .send(JSON.stringify({ failedEntries: failed, errorCode }));
}
