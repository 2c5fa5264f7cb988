import { UsageError } from '../errors.js';
import { checkFree, type ListenAddress } from './door/listen.js';
import type { SidecarOptions } from './options.js';

/** Below the kernel's range for outgoing connections, so that none of them takes the port before Envoy listens on it. */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 50;

/** Checks every port before anything is started. @throws UsageError that names the taken one */
export async function checkPorts(options: SidecarOptions): Promise<void> {
  if (options.httpPort === options.grpcPort)
    throw new UsageError(`--dapr-http-port and --dapr-grpc-port are both ${options.httpPort}; give each a port of its own`);
  if (!options.unixDomainSocket) {
    for (const host of options.listenAddresses) {
      await checkFree({ host, port: options.httpPort }, '--dapr-http-port');
      await checkFree({ host, port: options.grpcPort }, '--dapr-grpc-port');
    }
  }
  if (options.inboundPort !== 0)
    await checkFree({ host: options.inboundAddress, port: options.inboundPort }, '--dapr-internal-grpc-port');
}

/** @returns the port of the inbound listener: the given one, or a free one */
export async function pickInboundPort({ inboundAddress: host, inboundPort }: SidecarOptions): Promise<number> {
  if (inboundPort !== 0) return inboundPort;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const address: ListenAddress = { host, port: LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST)) };
    const free = await checkFree(address, '--dapr-internal-grpc-port').then(
      () => true,
      () => false,
    );
    if (free) return address.port;
  }
  throw new UsageError(`no free port for other sidecars' calls found on ${host}; choose one with --dapr-internal-grpc-port`);
}
