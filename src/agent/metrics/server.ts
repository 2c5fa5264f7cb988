import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, UsageError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { MetricsOptions } from '../options.js';
import { createScrape, type ScrapeDeps } from './scrape.js';

export interface MetricsServerDeps extends ScrapeDeps {
  readonly logger: Logger;
}

export interface MetricsServer {
  readonly port: number;
  close(): void;
}

/** Without `--metrics-port`: Dapr's own, unless another sidecar of this machine has it. */
const DEFAULT_PORT = 9090;

/** Serves Prometheus' text format on every path, as daprd does. @throws UsageError when the port that was asked for is taken */
export async function startMetricsServer(options: MetricsOptions, deps: MetricsServerDeps): Promise<MetricsServer> {
  const { host, port } = options;
  const scrape = createScrape(deps);
  const server = createServer((_request, response) => {
    if (!deps.metrics.settings().enabled) {
      response.writeHead(404).end('metrics are off: spec.metrics.enabled\n');
      return;
    }
    void scrape().then(
      (text) => response.writeHead(200, { 'content-type': deps.metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  server.requestTimeout = 10_000;
  try {
    await listen(server, host, port ?? DEFAULT_PORT);
  } catch (error) {
    if (port !== undefined)
      throw new UsageError(`--metrics-port ${port}: ${messageOf(error)}; choose another, or 0 for a free one`);
    await listen(server, host, 0);
    deps.logger.info('metrics are on another port, the usual one is taken', { port: (server.address() as AddressInfo).port });
  }
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
