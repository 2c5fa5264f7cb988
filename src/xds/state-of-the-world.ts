import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { LEGACY_WILDCARD } from './channel.js';
import { encodeState, type Push } from './encode.js';
import type { DeltaRequest } from './request-decision.js';
import type { Resource } from './resource.js';
import { resourceTypes, type TypeUrl } from './resource-types.js';
import type { AdsStream } from './stream.js';
import { WILDCARD } from './subscription.js';
import { messageTypes } from './translate/any.js';
import { makeResource } from './translate/resource.js';

/** The parts of a DiscoveryRequest that decide anything. */
export interface StateRequest {
  /** What the client has, from whichever stream; '' on a new process. */
  readonly version: string;
  /** All that the client wants, each time. */
  readonly names: readonly string[];
  readonly nonce: string;
  /** Text of `error_detail`; undefined when the request has none. */
  readonly error: string | undefined;
}

/** One type on one stream, as its client speaks of it. */
interface World {
  /** A response holds all that there is. */
  readonly whole: boolean;
  /** As the last request that counted named them; undefined: there was none. */
  names: ReadonlySet<string> | undefined;
  /** Of the last response; '' before the first. */
  nonce: string;
  /** The last response, until it is answered. */
  sent: Pick<Push, 'upserts' | 'removals'> | undefined;
  /** What the client has accepted. Of whole types only. */
  readonly accepted: Map<string, Resource>;
}

/**
 * A client that speaks state of the world (`api_type: GRPC`) in front of a delta stream: its requests become delta requests, and each
 * step of the stream becomes a response that it understands.
 *
 * Of clusters and listeners (and of our own types) a response holds everything, since what is missing in it is gone. "Everything" is what the
 * client has accepted, with this step laid over it: so a refused resource stays as it was before, while the rest of its response is sent
 * again without it. Of other types a response holds what changed. What is gone it cannot say, except of endpoints: there are none then.
 * Envoy drops the rest with what named it.
 */
export interface StateSide {
  request(typeUrl: TypeUrl, request: StateRequest): void;
  /** Goes on with what had to wait until the control plane knew its instances again. */
  release(): void;
  encode(push: Push): Buffer;
}

/**
 * @param stream that the requests are for
 * @param settling True: nobody knows yet what exists. A client that has something from before must not be told that it is all there is
 */
export function createStateSide(stream: () => Pick<AdsStream, 'request'>, settling: () => boolean): StateSide {
  const worlds = new Map<TypeUrl, World>();
  const waiting = new Map<TypeUrl, StateRequest>();
  const worldOf = (typeUrl: TypeUrl): World => {
    const whole = LEGACY_WILDCARD.has(typeUrl);
    const world = worlds.get(typeUrl) ?? { whole, names: undefined, nonce: '', sent: undefined, accepted: new Map() };
    worlds.set(typeUrl, world);
    return world;
  };
  const take = (typeUrl: TypeUrl, request: StateRequest) => {
    const world = worldOf(typeUrl);
    if (world.names === undefined && request.version !== '' && settling()) {
      waiting.set(typeUrl, request);
      return;
    }
    waiting.delete(typeUrl);
    const delta = deltaOf(world, request);
    if (delta) stream().request(typeUrl, delta);
  };
  return {
    request: take,
    release() {
      for (const [typeUrl, request] of [...waiting]) take(typeUrl, request);
    },
    encode(push) {
      const world = worldOf(push.typeUrl);
      world.nonce = push.nonce;
      world.sent = push;
      return encodeState(push, world.whole ? [...laidOver(world.accepted, push).values()] : changesOf(push));
    },
  };
}

const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

/** @returns the delta request that says the same; undefined: it answers an older response, and the client will say it again */
function deltaOf(world: World, { names, nonce, error }: StateRequest): DeltaRequest | undefined {
  const before = world.names;
  if (before === undefined) {
    world.names = new Set(names);
    return { nonce: '', error: undefined, subscribe: names, unsubscribe: [], initialVersions: NO_VERSIONS };
  }
  if (nonce !== world.nonce) return undefined;
  if (world.whole && error === undefined && world.sent) lay(world.accepted, world.sent);
  world.sent = undefined;
  world.names = new Set(names);
  const unsubscribe = [...before].filter((name) => !world.names?.has(name));
  // Naming nothing meant everything, until names come.
  if (world.whole && before.size === 0 && names.length > 0) unsubscribe.push(WILDCARD);
  for (const name of unsubscribe) world.accepted.delete(name);
  return { nonce, error, subscribe: names.filter((name) => !before.has(name)), unsubscribe, initialVersions: NO_VERSIONS };
}

/** A cluster waits for its endpoints: that there are none must be said, and can be in their case. */
const changesOf = ({ typeUrl, upserts, removals }: Push): readonly Resource[] =>
  typeUrl === resourceTypes.endpoint ? [...upserts, ...removals.map(noEndpoints)] : upserts;

const noEndpoints = (clusterName: string): Resource =>
  makeResource(messageTypes.endpoint, clusterName, ClusterLoadAssignment.fromPartial({ clusterName }));

function laidOver(accepted: ReadonlyMap<string, Resource>, step: Pick<Push, 'upserts' | 'removals'>): Map<string, Resource> {
  const all = new Map(accepted);
  lay(all, step);
  return all;
}

function lay(all: Map<string, Resource>, { upserts, removals }: Pick<Push, 'upserts' | 'removals'>): void {
  for (const resource of upserts) all.set(resource.name, resource);
  for (const name of removals) all.delete(name);
}
