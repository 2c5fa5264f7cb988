import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';

/**
 * Gives the path of `request` the spelling that the router decodes as Dapr does: query rules hold in the path too, so `+` is a
 * space (reference §1.1). What the client wrote stays in `originalUrl` for those who forward it.
 */
export function normalUrl(request: IncomingMessage): void {
  const url = request.url ?? '/';
  if (!url.includes('+')) return;
  (request as { originalUrl?: string }).originalUrl = url;
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  request.url = path.replaceAll('+', '%20') + (query === -1 ? '' : url.slice(query));
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

const EMPTY: Readonly<Record<string, string>> = Object.freeze({});
const PREFIX = 'metadata.';

/** @returns the first value of query parameter `name`, undefined when it is absent */
export function queryValue(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Query)[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** @returns what the `metadata.<key>=<value>` parameters say, prefix stripped; of a repeated key the first value */
export function queryMetadata(request: FastifyRequest): Readonly<Record<string, string>> {
  if (request.raw.url?.includes('?') !== true) return EMPTY;
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.query as Query)) {
    if (!name.startsWith(PREFIX) || value === undefined) continue;
    found[name.slice(PREFIX.length)] = typeof value === 'string' ? value : (value[0] ?? '');
  }
  return found;
}
