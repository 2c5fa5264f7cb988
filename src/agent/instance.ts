import { Instance, type LocalFiles } from '../gen/weft/registry/v1/registry.js';
import { environmentCollector } from '../model/telemetry.js';
import { apiDoorOf, type SidecarOptions } from './options.js';
import type { RunDir } from './run-dir.js';

export interface InstanceParts {
  readonly instanceId: string;
  readonly inboundPort: number;
  readonly runDir: RunDir;
  readonly localFiles: LocalFiles;
}

/** @returns what this sidecar tells the registry of itself before its app is ready */
export function instanceOf(options: SidecarOptions, { instanceId, inboundPort, runDir, localFiles }: InstanceParts): Instance {
  const { sockets } = runDir;
  return Instance.fromPartial({
    appId: options.appId,
    namespace: options.namespace,
    instanceId,
    address: options.inboundAddress,
    inboundPort,
    appAddress: options.appAddress,
    appPort: options.appPort,
    appProtocol: options.appProtocol,
    appReady: false,
    appHealthy: true,
    apiDoor: apiDoorOf(options),
    apiAddress: options.listenAddresses[0] ?? '127.0.0.1',
    httpPort: options.httpPort,
    grpcPort: options.grpcPort,
    sockets: {
      serviceHttp: sockets.api,
      serviceGrpc: sockets.grpc,
      loopback: sockets.loop,
      self: sockets.self,
      door: sockets.door,
      extProc: sockets.extProc,
      traced: sockets.traced,
      tracedInbound: sockets.tracedInbound,
    },
    labels: { ...options.labels },
    resourcesPaths: [...options.resourcesPaths],
    configPaths: [...options.configPaths],
    pid: process.pid,
    startedAtMs: Math.round(performance.timeOrigin),
    appPid: options.appPid,
    command: options.appCommand,
    runPid: options.runPid,
    maxBodyBytes: options.maxBodyBytes,
    localFiles,
    spanSink: { socket: sockets.spans, hasCollector: Boolean(environmentCollector(process.env)) },
  });
}
