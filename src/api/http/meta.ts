import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Runtime, SidecarMetadata } from '../../blocks/runtime.js';
import { AppError, type ErrorName } from '../../errors.js';
import { isTruthy } from '../../lib/duration.js';
import { sendEmpty, sendJson } from './reply.js';
import type { HttpRoute } from './route.js';
import { queryValue } from './url.js';

/** Health, metadata and shutdown (reference §1.8). */
export function metaRoutes(runtime: Runtime): HttpRoute[] {
  const base = { versions: ['v1.0'] } as const;
  return [
    { ...base, group: 'healthz', operation: 'Health', methods: ['GET'], path: '/healthz', handle: health(runtime) },
    {
      ...base,
      group: 'healthz',
      operation: 'OutboundHealth',
      methods: ['GET'],
      path: '/healthz/outbound',
      handle: (_request, reply) => answerHealth('outboundHealthNotReady', runtime.outboundNotReady(), reply),
    },
    {
      ...base,
      group: 'metadata',
      operation: 'GetMetadata',
      methods: ['GET'],
      path: '/metadata',
      handle: (_request, reply) => sendJson(reply, JSON.stringify(metadataBody(runtime.metadata()))),
    },
    {
      ...base,
      group: 'metadata',
      operation: 'SetMetadata',
      methods: ['PUT'],
      path: '/metadata/:key',
      handle: setMetadata(runtime),
    },
    { ...base, group: 'shutdown', operation: 'Shutdown', methods: ['POST'], path: '/shutdown', handle: shutdown(runtime) },
  ];
}

const health = (runtime: Runtime) => (request: FastifyRequest, reply: FastifyReply) => {
  const appId = queryValue(request, 'appid');
  if (appId && appId !== runtime.appId) throw new AppError('healthAppIdNotMatch');
  answerHealth('healthNotReady', runtime.notReady(), reply);
};

function answerHealth(row: ErrorName, reason: string | undefined, reply: FastifyReply): void {
  if (reason !== undefined) throw new AppError(row, { err: `: ${reason}` });
  sendEmpty(reply);
}

const setMetadata = (runtime: Runtime) => (request: FastifyRequest, reply: FastifyReply) => {
  const { key } = request.params as { key: string };
  runtime.setMetadata(key, Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '');
  sendEmpty(reply);
};

const shutdown = (runtime: Runtime) => (request: FastifyRequest, reply: FastifyReply) => {
  const force = request.headers['dapr-force-shutdown'];
  sendEmpty(reply);
  runtime.shutdown(isTruthy(typeof force === 'string' ? force : undefined));
};

/** @returns the metadata document with Dapr's key names; what is empty is left out */
export function metadataBody(metadata: SidecarMetadata): Record<string, unknown> {
  const { id, runtimeVersion, appConnectionProperties, actorRuntime } = metadata;
  const { activeActors } = actorRuntime;
  return withoutEmpty({
    id,
    runtimeVersion,
    enabledFeatures: metadata.enabledFeatures,
    // Twice, as Dapr has it: `actors` is the older name that SDKs still read.
    actors: activeActors,
    components: metadata.components,
    extended: metadata.extended,
    subscriptions: metadata.subscriptions.map((subscription) => withoutEmpty({ ...subscription })),
    httpEndpoints: metadata.httpEndpoints,
    appConnectionProperties: appConnectionProperties && withoutEmpty({ ...appConnectionProperties }),
    actorRuntime: { ...withoutEmpty({ activeActors }), ...actorRuntimeBody(actorRuntime) },
  });
}

function actorRuntimeBody({ runtimeStatus, hostReady, placement }: SidecarMetadata['actorRuntime']) {
  return { runtimeStatus, hostReady, placement };
}

function withoutEmpty(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
