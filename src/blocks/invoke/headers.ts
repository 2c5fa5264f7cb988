import type { Headers } from '../app/channel.js';

/** Concern one connection only (RFC 9110 §7.6.1), so they never travel on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
  'trailer',
  'proxy-authorization',
  'proxy-authenticate',
]);

/** @returns whether `name` (lower case) must not be passed on by a proxy */
export const isHopByHop = (name: string): boolean => HOP_BY_HOP.has(name);

type Value = string | string[];

/**
 * Headers to pass on: without hop-by-hop ones, those that `Connection` nominates, and those in `drop`.
 * @param headers names in lower case, as Node gives them
 */
export function passedHeaders(headers: Headers, drop: (name: string) => boolean): Record<string, Value> {
  const nominated = nominations(headers.connection);
  const out: Record<string, Value> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || HOP_BY_HOP.has(name) || nominated?.includes(name) || drop(name)) continue;
    out[name] = value as Value;
  }
  return out;
}

function nominations(connection: string | readonly string[] | undefined): readonly string[] | undefined {
  // By far the most common values nominate nothing.
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return [connection]
    .flat()
    .join(',')
    .split(',')
    .map((token) => token.trim().toLowerCase());
}
