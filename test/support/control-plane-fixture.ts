import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import type { ResourceLoader } from '../../src/control/resource-catalog.js';
import {
  type AttachRequest,
  type AttachResponse,
  type Instance,
  RegistryClient,
} from '../../src/gen/weft/registry/v1/registry.js';
import { embeddedDefaults, loadResourceSet } from '../../src/model/resources/index.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../../src/xds/control-plane.js';
import { createSnapshotBuilder } from '../../src/xds/snapshot-builder.js';

export interface TestControlPlane extends ControlPlane {
  /** @returns the parsed document at `path` of the status API */
  status<T>(path: string): Promise<T>;
}

/** A whole control plane in this process, on ports of its own. */
export async function startTestControlPlane(
  options: Partial<ControlPlaneOptions> = {},
  loadResources: ResourceLoader = loadResourceSet,
): Promise<TestControlPlane> {
  const own = mkdtempSync(join(tmpdir(), 'weft-cp-'));
  const controlPlane = await startControlPlane(
    {
      listenAddress: '127.0.0.1',
      port: 0,
      httpPort: 0,
      resources: { resourcesPaths: [], configPaths: [] },
      stateDirectory: own,
      leaseTtlMs: 5_000,
      settleMs: 0,
      ...options,
    },
    { logger: silentLogger, loadResources, embedded: embeddedDefaults(), snapshots: createSnapshotBuilder() },
  );
  return {
    ...controlPlane,
    status: async <T>(path: string) => (await (await fetch(`http://${controlPlane.httpAddress}${path}`)).json()) as T,
    async close() {
      await controlPlane.close();
      rmSync(own, { recursive: true, force: true });
    },
  };
}

/** A sidecar's Attach stream without the sidecar: it beats only when told to. */
export class AttachPeer {
  readonly #client: RegistryClient;
  readonly #stream: ClientDuplexStream<AttachRequest, AttachResponse>;
  readonly #received: NonNullable<AttachResponse['event']>[] = [];
  #wake = () => {};

  constructor(address: string) {
    this.#client = new RegistryClient(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.#stream = this.#client.attach();
    this.#stream.on('data', ({ event }: AttachResponse) => {
      if (event) this.#received.push(event);
      this.#wake();
    });
    this.#stream.on('error', () => this.#wake());
  }

  send(event: NonNullable<AttachRequest['event']>, instanceSequence = 0): this {
    this.#stream.write({ event, instanceSequence });
    return this;
  }

  attach(instance: Instance): this {
    return this.send({ $case: 'instance', value: instance });
  }

  /** Waits for the next answer. */
  async answer(): Promise<NonNullable<AttachResponse['event']>> {
    const deadline = performance.now() + 5_000;
    for (;;) {
      const next = this.#received.shift();
      if (next) return next;
      if (performance.now() > deadline) throw new Error('no answer on the Attach stream within 5 s');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends the stream as a sidecar does that leaves. */
  leave(): void {
    this.#stream.end();
  }

  /** Breaks the stream as a killed sidecar does. */
  break(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
