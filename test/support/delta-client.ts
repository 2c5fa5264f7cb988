import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { AggregatedDiscoveryServiceClient } from '../../src/gen/envoy/service/discovery/v3/ads.js';
import { DeltaDiscoveryRequest, type DeltaDiscoveryResponse } from '../../src/gen/envoy/service/discovery/v3/discovery.js';
import { sleep } from '../../src/lib/async.js';
import { type ResourceTypeName, resourceTypes } from '../../src/xds/resource-types.js';

export interface SubscribeOptions {
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly initialVersions?: Readonly<Record<string, string>>;
}

/** What one response says, short enough to compare: `{ name: version }` and the removed names. */
export interface Received {
  readonly type: string;
  readonly resources: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
  readonly nonce: string;
}

const PATIENCE_MS = 5_000;
const SILENCE_MS = 150;

/** A delta xDS client that says step by step what it does and what it expects. Responses of other types than the awaited one wait. */
export class DeltaClient {
  readonly #client: AggregatedDiscoveryServiceClient;
  readonly #stream: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly #received: Received[] = [];
  readonly #nodeId: string;
  #first = true;
  #wake = () => {};
  /** Why the server ended the stream; undefined while it lives. */
  ended: { readonly code: number; readonly details: string } | undefined;

  constructor(address: string, nodeId: string) {
    this.#nodeId = nodeId;
    this.#client = new AggregatedDiscoveryServiceClient(address, credentials.createInsecure());
    this.#stream = this.#client.deltaAggregatedResources();
    this.#stream.on('data', (response: DeltaDiscoveryResponse) => {
      this.#received.push(toReceived(response));
      this.#wake();
    });
    this.#stream.on('error', (error: { code: number; details: string }) => {
      this.ended = error;
      this.#wake();
    });
  }

  request(type: ResourceTypeName, options: SubscribeOptions = {}): this {
    return this.#send({
      typeUrl: resourceTypes[type],
      resourceNamesSubscribe: [...(options.subscribe ?? [])],
      resourceNamesUnsubscribe: [...(options.unsubscribe ?? [])],
      initialResourceVersions: { ...options.initialVersions },
    });
  }

  /** Waits for the next response of `type`. */
  async expect(type: ResourceTypeName): Promise<Received> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const index = this.#received.findIndex((received) => received.type === type);
      if (index >= 0) return this.#received.splice(index, 1)[0]!;
      if (this.ended) throw new Error(`the stream has ended: ${this.ended.details}`);
      if (performance.now() > deadline) throw new Error(`no response of type ${type} within ${PATIENCE_MS} ms`);
      await this.#next(deadline - performance.now());
    }
  }

  async expectAndAck(type: ResourceTypeName): Promise<Received> {
    const received = await this.expect(type);
    this.ack(received);
    return received;
  }

  async requestAndAck(type: ResourceTypeName, options: SubscribeOptions = {}): Promise<Received> {
    return this.request(type, options).expectAndAck(type);
  }

  async requestAndNack(type: ResourceTypeName, message: string, options: SubscribeOptions = {}): Promise<Received> {
    const received = await this.request(type, options).expect(type);
    this.nack(received, message);
    return received;
  }

  ack(received: Received): this {
    return this.#send({ typeUrl: resourceTypes[received.type as ResourceTypeName], responseNonce: received.nonce });
  }

  nack(received: Received, message: string): this {
    const errorDetail = { code: 13, message, details: [] };
    return this.#send({ typeUrl: resourceTypes[received.type as ResourceTypeName], responseNonce: received.nonce, errorDetail });
  }

  /** Waits a while for a response that must not come. */
  async expectNoResponse(type?: ResourceTypeName): Promise<void> {
    await sleep(SILENCE_MS);
    const unwanted = this.#received.find((received) => type === undefined || received.type === type);
    if (unwanted) throw new Error(`unexpected response: ${JSON.stringify(unwanted)}`);
  }

  async expectEnd(): Promise<{ readonly code: number; readonly details: string }> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.ended && performance.now() < deadline) await this.#next(deadline - performance.now());
    if (!this.ended) throw new Error(`the stream has not ended within ${PATIENCE_MS} ms`);
    return this.ended;
  }

  /** Stops reading, as a client does that is too slow. */
  stall(): this {
    this.#stream.pause();
    return this;
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #send(request: Partial<DeltaDiscoveryRequest>): this {
    const node = this.#first ? { id: this.#nodeId, cluster: '' } : undefined;
    this.#first = false;
    this.#stream.write(DeltaDiscoveryRequest.fromPartial({ ...request, node } as DeltaDiscoveryRequest));
    return this;
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function toReceived(response: DeltaDiscoveryResponse): Received {
  const type = Object.entries(resourceTypes).find(([, url]) => url === response.typeUrl)?.[0] ?? response.typeUrl;
  return {
    type,
    resources: Object.fromEntries(response.resources.map(({ name, version }) => [name, version])),
    removed: response.removedResources,
    nonce: response.nonce,
  };
}
