import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Resource } from './resource.js';
import type { TypeUrl } from './resource-types.js';

/** One response on a stream. */
export interface Push {
  readonly typeUrl: TypeUrl;
  readonly nonce: string;
  /** For people only: the control plane's revision. */
  readonly version: string;
  readonly upserts: readonly Resource[];
  readonly removals: readonly string[];
}

// Field tags of envoy.service.discovery.v3 (field number << 3 | 2, all are length-delimited).
const RESPONSE = { systemVersionInfo: 10, resources: 18, typeUrl: 34, nonce: 42, removedResources: 50 } as const;
const RESOURCE = { version: 10, resource: 18, name: 26 } as const;
/** Of a DiscoveryResponse. */
const STATE = { versionInfo: 10, resources: 18, typeUrl: 34, nonce: 42 } as const;
const ANY = { typeUrl: 10, value: 18 } as const;

/** How many resources' parts are kept as one block. */
const BLOCK = 128;

const frames = new WeakMap<Resource, Buffer>();
const blocks = new WeakMap<Resource, { readonly members: readonly Resource[]; readonly bytes: Buffer }>();

/**
 * @returns the DeltaDiscoveryResponse. Each resource's part of it is encoded once and shared by all proxies, and so are blocks of such
 * parts that come in the same order again: the message is put together from those, so a push to a thousand proxies encodes nothing a
 * thousand times.
 */
export function encodeDelta(push: Push): Buffer {
  const head = new BinaryWriter()
    .uint32(RESPONSE.systemVersionInfo)
    .string(push.version)
    .uint32(RESPONSE.typeUrl)
    .string(push.typeUrl)
    .uint32(RESPONSE.nonce)
    .string(push.nonce);
  for (const name of push.removals) head.uint32(RESPONSE.removedResources).string(name);
  const parts: Uint8Array[] = [head.finish()];
  for (let from = 0; from < push.upserts.length; from += BLOCK) parts.push(block(push.upserts, from, push.typeUrl));
  return Buffer.concat(parts);
}

function block(upserts: readonly Resource[], from: number, typeUrl: TypeUrl): Buffer {
  const first = upserts[from] as Resource;
  const size = Math.min(BLOCK, upserts.length - from);
  if (size === 1) return resourceFrame(first, typeUrl);
  const known = blocks.get(first);
  if (known?.members.length === size && known.members.every((member, index) => member === upserts[from + index]))
    return known.bytes;
  const members = upserts.slice(from, from + size);
  const bytes = Buffer.concat(members.map((resource) => resourceFrame(resource, typeUrl)));
  blocks.set(first, { members, bytes });
  return bytes;
}

function resourceFrame(resource: Resource, typeUrl: TypeUrl): Buffer {
  const known = frames.get(resource);
  if (known) return known;
  const any = encodeAny(resource, typeUrl);
  const body = new BinaryWriter()
    .uint32(RESOURCE.name)
    .string(resource.name)
    .uint32(RESOURCE.version)
    .string(resource.version)
    .uint32(RESOURCE.resource)
    .bytes(any)
    .finish();
  const frame = Buffer.from(new BinaryWriter().uint32(RESPONSE.resources).bytes(body).finish());
  frames.set(resource, frame);
  return frame;
}

const encodeAny = (resource: Resource, typeUrl: TypeUrl): Uint8Array =>
  new BinaryWriter().uint32(ANY.typeUrl).string(typeUrl).uint32(ANY.value).bytes(resource.bytes).finish();

const stateFrames = new WeakMap<Resource, Buffer>();

/** @returns the DiscoveryResponse (state of the world) of a step, which holds `resources` */
export function encodeState({ typeUrl, version, nonce }: Push, resources: readonly Resource[]): Buffer {
  const head = new BinaryWriter()
    .uint32(STATE.versionInfo)
    .string(version)
    .uint32(STATE.typeUrl)
    .string(typeUrl)
    .uint32(STATE.nonce)
    .string(nonce);
  return Buffer.concat([head.finish(), ...resources.map((resource) => stateFrame(resource, typeUrl))]);
}

function stateFrame(resource: Resource, typeUrl: TypeUrl): Buffer {
  const known = stateFrames.get(resource);
  if (known) return known;
  const frame = Buffer.from(new BinaryWriter().uint32(STATE.resources).bytes(encodeAny(resource, typeUrl)).finish());
  stateFrames.set(resource, frame);
  return frame;
}
