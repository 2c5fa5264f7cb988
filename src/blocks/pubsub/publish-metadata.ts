import { isTruthy, parseGoDuration } from '../../lib/duration.js';

/** Attributes of the envelope that a publisher may set by `cloudevent.<name>` (reference §1.5). */
export interface EnvelopeOverrides {
  readonly id?: string;
  readonly source?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly traceid?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** What a publish request's metadata says, apart from what only the component understands. */
export interface PublishMetadata {
  readonly rawPayload: boolean;
  /** Milliseconds from now; undefined: kept until delivered. */
  readonly ttlMs?: number;
  readonly overrides: EnvelopeOverrides;
}

const NOTHING: PublishMetadata = { rawPayload: false, overrides: {} };
const OVERRIDE_PREFIX = 'cloudevent.';

/**
 * Reads metadata by case-insensitive names.
 * @throws Error when a TTL is not a positive number of seconds or Go duration
 */
export function readPublishMetadata(metadata: Readonly<Record<string, string>>): PublishMetadata {
  const names = Object.keys(metadata);
  if (names.length === 0) return NOTHING;
  let rawPayload = false;
  let ttlMs: number | undefined;
  const overrides: Record<string, string> = {};
  for (const name of names) {
    const lower = name.toLowerCase();
    const value = metadata[name] ?? '';
    if (lower === 'rawpayload') rawPayload = isTruthy(value);
    // The long name wins when both are given.
    else if (lower === 'ttlinseconds') ttlMs = parseTtl(name, value);
    else if (lower === 'ttl') ttlMs ??= parseTtl(name, value);
    else if (lower.startsWith(OVERRIDE_PREFIX)) overrides[lower.slice(OVERRIDE_PREFIX.length)] = value;
  }
  return { rawPayload, ttlMs, overrides };
}

function parseTtl(name: string, value: string): number {
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : parseGoDuration(value);
  if (ms === undefined || !(ms > 0) || ms > Number.MAX_SAFE_INTEGER / 2)
    throw new Error(`${name} must be a positive number of seconds or a duration such as 90s, not '${value}'`);
  return ms;
}

/** @returns the metadata that travels with the message: without what the envelope and the broker have taken from it already */
export function travellingMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const rest: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    const lower = name.toLowerCase();
    if (lower !== 'rawpayload' && lower !== 'ttl' && lower !== 'ttlinseconds' && !lower.startsWith(OVERRIDE_PREFIX))
      rest[name] = value;
  }
  return rest;
}
