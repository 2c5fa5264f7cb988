import { scanObject } from './json-scan.js';

/** A received CloudEvent: its bytes, and its fields as far as someone asks for them. */
export interface Envelope {
  readonly bytes: Buffer;
  /** @returns a field's value when it is a string */
  text(name: string): string | undefined;
  /** @returns a field's JSON as it stands; undefined: absent or null */
  raw(name: string): Buffer | undefined;
  names(): readonly string[];
  /** The whole event, decoded; for routing rules. Decoded once. */
  parsed(): unknown;
}

/** @returns undefined when `bytes` is not a JSON object */
export function readEnvelope(bytes: Buffer): Envelope | undefined {
  const fields = scanObject(bytes);
  if (!fields) return undefined;
  let parsed: unknown;
  const raw = (name: string): Buffer | undefined => {
    const slice = fields.get(name);
    if (!slice || isNull(bytes, slice.start)) return undefined;
    return bytes.subarray(slice.start, slice.end);
  };
  return {
    bytes,
    raw,
    text(name) {
      const value = raw(name);
      if (value?.[0] !== 0x22) return undefined;
      return value.includes(0x5c) ? (JSON.parse(value.toString()) as string) : value.toString('utf8', 1, value.length - 1);
    },
    names: () => [...fields.keys()],
    parsed() {
      parsed ??= JSON.parse(bytes.toString());
      return parsed;
    },
  };
}

function isNull(bytes: Buffer, start: number): boolean {
  return bytes[start] === 0x6e;
}

/** @returns whether the event's `expiration` has passed; one that is no time never does */
export function isExpired(envelope: Envelope, nowMs: number): boolean {
  const expiration = envelope.text('expiration');
  return expiration !== undefined && Date.parse(expiration) <= nowMs;
}
