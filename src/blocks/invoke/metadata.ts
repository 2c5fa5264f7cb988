import { Metadata } from '@grpc/grpc-js';
import type { Headers } from '../app/channel.js';
import { isHopByHop } from './headers.js';

/** Header names that IANA lists as permanent: as metadata they get the prefix `dapr-` (reference §1.3). */
const PERMANENT = new Set([
  'accept',
  'accept-charset',
  'accept-language',
  'accept-ranges',
  'cache-control',
  'content-type',
  'content-length',
  'cookie',
  'date',
  'expect',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-schedule-tag-match',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'pragma',
  'referer',
  'via',
  'warning',
]);

/** Carries the type URL of an Any through HTTP, since typed SDKs unpack by it. */
export const DATA_TYPE_HEADER = 'dapr-data-type-url';

/** @returns HTTP headers as gRPC metadata; what metadata cannot carry is left out */
export function metadataFromHeaders(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || isHopByHop(name) || isInternal(name) || !/^[0-9a-z_.-]+$/.test(name)) continue;
    const key = PERMANENT.has(name) ? `dapr-${name}` : name;
    for (const item of [value].flat()) {
      if (key.endsWith('-bin')) metadata.add(key, Buffer.from(item, 'base64'));
      else if (/^[\x20-\x7e]*$/.test(item)) metadata.add(key, item);
    }
  }
  return metadata;
}

/** @returns metadata as HTTP headers; bytes and what HTTP sets itself are left out */
export function headersFromMetadata(metadata: Metadata): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const key of Object.keys(metadata.getMap())) {
    if (key.endsWith('-bin') || key === 'content-type' || key === 'content-length' || key === 'host') continue;
    if (isHopByHop(key) || isInternal(key)) continue;
    const values = metadata.get(key).map(String);
    headers[key.startsWith('grpc-') ? `dapr-${key}` : key] = values.length === 1 ? (values[0] as string) : values;
  }
  return headers;
}

/** Between sidecars only. `grpc-status` and its companions say how a gRPC app answered an HTTP call. */
function isInternal(name: string): boolean {
  return name.startsWith('x-weft-') || name === DATA_TYPE_HEADER || name.startsWith('grpc-status') || name === 'grpc-message';
}
