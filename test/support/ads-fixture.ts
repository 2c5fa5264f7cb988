import { Server, ServerCredentials } from '@grpc/grpc-js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { SnapshotSource } from '../../src/xds/resource.js';
import { ADS_DEFAULTS, type AdsMetrics, type AdsServer, type AdsServerOptions, addAdsService } from '../../src/xds/server.js';
import { DeltaClient } from './delta-client.js';

export interface AdsFixture {
  readonly address: string;
  readonly ads: AdsServer;
  /** Counters by name. */
  readonly counts: { nacks: number; cut: number; streams: number; pushes: number };
  client(nodeId?: string): DeltaClient;
  close(): Promise<void>;
}

/** Serves `source` on a port of its own. */
export async function startAds(source: SnapshotSource, options: Partial<AdsServerOptions> = {}, port = 0): Promise<AdsFixture> {
  const counts = { nacks: 0, cut: 0, streams: 0, pushes: 0 };
  const metrics: AdsMetrics = {
    pushed: () => void counts.pushes++,
    nacked: () => void counts.nacks++,
    streams: (now) => {
      counts.streams = now;
    },
    slowClientCut: () => void counts.cut++,
  };
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  const ads = addAdsService(server, { source, logger: silentLogger, metrics }, { ...ADS_DEFAULTS, ...options });
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, value) =>
      error ? reject(error) : resolve(value),
    ),
  );
  const address = `127.0.0.1:${bound}`;
  const clients: DeltaClient[] = [];
  return {
    address,
    ads,
    counts,
    client(nodeId = 'envoy~default~orders~orders-1') {
      const client = new DeltaClient(address, nodeId);
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      ads.close();
      server.forceShutdown();
    },
  };
}
