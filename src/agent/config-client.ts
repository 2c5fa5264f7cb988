import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { ConfigApply, ConfigChange, ConfigKind, ConfigKinds, ConfigSource } from '../blocks/config-source.js';
import { messageOf, UsageError } from '../errors.js';
import { AggregatedDiscoveryServiceClient } from '../gen/envoy/service/discovery/v3/ads.js';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../gen/envoy/service/discovery/v3/discovery.js';
import {
  ActorPlacement,
  ActorResiliency,
  AppConfiguration,
  Component,
  ComponentResiliency,
  HttpEndpoint,
  Subscription,
} from '../gen/weft/config/v1/config.js';
import { deferred } from '../lib/async.js';
import { type NodeIdentity, nodeId } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import { resourceTypes } from '../xds/resource-types.js';
import type { ControlPlaneChannel } from './control-plane-channel.js';
import { keepConnected } from './reconnect.js';

export interface ConfigClient extends ConfigSource {
  /** Connects. Call after every `on`. */
  start(): void;
  renew(): number;
  /** Resolves once the first response of every kind is in force. Rejects with a UsageError when one cannot be. */
  readonly inForce: Promise<void>;
  /** Idempotent. */
  close(): void;
}

export interface ConfigClientOptions {
  readonly channel: ControlPlaneChannel;
  readonly node: NodeIdentity;
  readonly logger: Logger;
}

type Decoders = { readonly [K in ConfigKind]: (bytes: Uint8Array) => ConfigKinds[K] };
const DECODE: Decoders = {
  configuration: (bytes) => AppConfiguration.decode(bytes),
  resiliency: (bytes) => ComponentResiliency.decode(bytes),
  component: (bytes) => Component.decode(bytes),
  actorResiliency: (bytes) => ActorResiliency.decode(bytes),
  externalEndpoint: (bytes) => HttpEndpoint.decode(bytes),
  subscription: (bytes) => Subscription.decode(bytes),
  placement: (bytes) => ActorPlacement.decode(bytes),
};
/** What must be in force first when both came: subscriptions and endpoints name components, and no turn of an actor may pass its policies. */
const BEFORE: Readonly<Partial<Record<ConfigKind, ConfigKind>>> = {
  subscription: 'component',
  externalEndpoint: 'component',
  placement: 'actorResiliency',
};
const KINDS = Object.keys(DECODE) as readonly ConfigKind[];
const KIND_OF = new Map<string, ConfigKind>(KINDS.map((kind) => [resourceTypes[kind], kind]));
/** A control plane that is older than this sidecar does not answer for these. */
const LATER_KINDS: readonly ConfigKind[] = ['externalEndpoint'];
const INVALID_ARGUMENT = 3;

/** What this client holds of one kind. */
interface Held {
  readonly apply: ConfigApply<unknown>;
  /** Version by name of what is in force: sent on a reconnect, so that only differences come. */
  readonly versions: Map<string, string>;
  /** The end of the queue of changes; they are applied one after the other. */
  tail: Promise<void>;
  answered: boolean;
}

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** The filter service as a delta xDS client: applies what comes, and only then acknowledges it. */
export function createConfigClient(options: ConfigClientOptions): ConfigClient {
  return new Configuration(options);
}

class Configuration implements ConfigClient {
  readonly #options: ConfigClientOptions;
  readonly #client: AggregatedDiscoveryServiceClient;
  readonly #held = new Map<ConfigKind, Held>();
  readonly #stop = new AbortController();
  readonly #inForce = deferred<void>();
  #stream: Stream | undefined;
  /** How many connections there were. */
  #connections = 0;

  constructor(options: ConfigClientOptions) {
    this.#options = options;
    const { channel } = options;
    this.#client = new AggregatedDiscoveryServiceClient(channel.address, channel.credentials, {
      channelOverride: channel.channel,
    });
    this.#inForce.promise.catch(() => {});
  }

  get inForce(): Promise<void> {
    return this.#inForce.promise;
  }

  on<K extends ConfigKind>(kind: K, apply: ConfigApply<ConfigKinds[K]>): void {
    if (this.#held.has(kind)) throw new Error(`${kind} has an applier already`);
    const generic = apply as ConfigApply<unknown>;
    this.#held.set(kind, { apply: generic, versions: new Map(), tail: Promise.resolve(), answered: false });
  }

  refresh(kind: ConfigKind, name: string): void {
    // A name that is asked for is sent, whatever was said of it before.
    this.#stream?.write(DeltaDiscoveryRequest.fromPartial({ typeUrl: resourceTypes[kind], resourceNamesSubscribe: [name] }));
  }

  renew(): number {
    this.#stream?.cancel();
    return this.#connections + 1;
  }

  start(): void {
    const { channel, logger } = this.#options;
    // The Attach stream tells about the same control plane; one of the two is enough.
    const quiet = { ...logger, info: logger.debug, warn: logger.debug };
    void keepConnected({
      what: channel.what,
      logger: quiet,
      signal: this.#stop.signal,
      connect: (noteOpen) => this.#connect(noteOpen),
    });
  }

  close(): void {
    this.#stop.abort();
    this.#stream?.cancel();
  }

  #connect(noteOpen: () => void): Promise<string> {
    return new Promise((resolve) => {
      const stream = this.#client.deltaAggregatedResources();
      this.#stream = stream;
      this.#connections += 1;
      const connection = this.#connections;
      stream.on('data', (response: DeltaDiscoveryResponse) => {
        noteOpen();
        this.#onResponse(stream, response, connection);
      });
      const end = (why: string) => {
        if (this.#stream === stream) this.#stream = undefined;
        resolve(why);
      };
      stream.on('error', (error) => end(error.message));
      stream.on('end', () => end('the stream ended'));
      this.#subscribe(stream);
    });
  }

  #subscribe(stream: Stream): void {
    const { node } = this.#options;
    let first = true;
    for (const [kind, { versions }] of this.#held) {
      stream.write(
        DeltaDiscoveryRequest.fromPartial({
          // The node stands in a stream's first request only.
          ...(first ? { node: { id: nodeId(node), cluster: `${node.namespace}/${node.appId}` } } : {}),
          typeUrl: resourceTypes[kind],
          resourceNamesSubscribe: ['*'],
          initialResourceVersions: Object.fromEntries(versions),
        }),
      );
      first = false;
    }
  }

  #onResponse(stream: Stream, response: DeltaDiscoveryResponse, connection: number): void {
    const kind = KIND_OF.get(response.typeUrl);
    const held = kind && this.#held.get(kind);
    if (!held) return;
    const other = BEFORE[kind];
    const before = other && this.#held.get(other)?.tail;
    held.tail = Promise.all([held.tail, before])
      .then(() => this.#apply(kind, held, response, connection))
      .then((problem) => {
        this.#noteAnswered(held, problem);
        if (this.#stream === stream) stream.write(answer(response, problem));
      });
  }

  /** @returns what is wrong with the response, undefined when it is in force */
  async #apply(kind: ConfigKind, held: Held, response: DeltaDiscoveryResponse, connection: number): Promise<string | undefined> {
    try {
      await held.apply({ ...decode(kind, response), connection });
    } catch (error) {
      const problem = messageOf(error);
      this.#options.logger.error(`a ${kind} cannot be taken; what was in force stays`, { error: problem });
      return problem;
    }
    for (const { name, version } of response.resources) held.versions.set(name, version);
    for (const name of response.removedResources) held.versions.delete(name);
    return undefined;
  }

  #noteAnswered(held: Held, problem: string | undefined): void {
    if (!held.answered && problem !== undefined) this.#inForce.reject(new UsageError(problem));
    held.answered = true;
    if ([...this.#held].every(([kind, { answered }]) => answered || LATER_KINDS.includes(kind))) this.#inForce.resolve();
  }
}

function decode(kind: ConfigKind, response: DeltaDiscoveryResponse): ConfigChange<unknown> {
  const updated = new Map<string, unknown>();
  for (const { name, resource } of response.resources) if (resource) updated.set(name, DECODE[kind](resource.value));
  return { updated, removed: response.removedResources };
}

function answer(response: DeltaDiscoveryResponse, problem: string | undefined): DeltaDiscoveryRequest {
  return DeltaDiscoveryRequest.fromPartial({
    typeUrl: response.typeUrl,
    responseNonce: response.nonce,
    ...(problem === undefined ? {} : { errorDetail: { code: INVALID_ARGUMENT, message: problem } }),
  });
}
