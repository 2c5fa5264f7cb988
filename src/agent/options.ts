import type { LogLevel } from '../telemetry/logger.js';
import type { JoinOptions } from './identity/sidecar-identity.js';

export type AppProtocol = 'http' | 'https' | 'h2c' | 'grpc' | 'grpcs';

/** How the app's health is watched. */
export interface AppHealthOptions {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row until the app counts as unhealthy. */
  readonly threshold: number;
}

/** Where the metrics are served. */
export interface MetricsOptions {
  readonly host: string;
  /** Undefined: the usual one or, when another sidecar has it, a free one. 0: a free one. */
  readonly port?: number;
}

/** Everything that a sidecar is told at its start, checked and with defaults filled in. */
export interface SidecarOptions {
  readonly appId: string;
  readonly namespace: string;
  /** The namespace that was given, as `keyPrefix: namespace` wants it; undefined: none was, and keys stand under the app id alone. */
  readonly keyNamespace?: string;
  /** 0: there is no app to call. */
  readonly appPort: number;
  readonly appProtocol: AppProtocol;
  readonly appAddress: string;
  /** Most requests at a time that the filter service sends to the app; undefined: no limit of ours. */
  readonly appMaxConcurrency?: number;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** At least one. */
  readonly listenAddresses: readonly string[];
  /** Where other sidecars reach this one. Port 0: a free one is taken. */
  readonly inboundAddress: string;
  readonly inboundPort: number;
  /** Absolute. */
  readonly resourcesPaths: readonly string[];
  readonly configPaths: readonly string[];
  /** `host:port`. */
  readonly controlPlaneAddress: string;
  /** `host:port` of an identity service that takes join tokens; undefined: the control plane's Unix socket is looked for. */
  readonly identityAddress?: string;
  readonly join: JoinOptions;
  readonly requireMtls: boolean;
  readonly apiDoor: 'envoy' | 'service';
  /** Directory of the API's Unix sockets, which then stand in for the TCP ports. */
  readonly unixDomainSocket?: string;
  readonly maxBodyBytes: number;
  /** Undefined: Node's default, 16 KiB. */
  readonly maxHeaderBytes?: number;
  readonly gracefulShutdownSeconds: number;
  readonly apiLogging: boolean;
  /** Undefined: no metrics (`--enable-metrics=false`). */
  readonly metrics?: MetricsOptions;
  readonly envoyConcurrency: number;
  readonly logLevel: LogLevel;
  /** Web pages that may use the HTTP API, comma-separated; undefined: none. */
  readonly allowedOrigins?: string;
  readonly apiToken?: string;
  readonly appToken?: string;
  /** Undefined: once the app accepts connections, it is taken for healthy. */
  readonly appHealth?: AppHealthOptions;
  readonly labels: Readonly<Record<string, string>>;
  /** What `weft run` tells for `weft list` and for the metadata API; 0 and empty: started by hand. */
  readonly runPid: number;
  readonly appPid: number;
  readonly appCommand: string;
}

/** @returns whether an app of this protocol is called with gRPC */
export const isGrpc = (protocol: AppProtocol): boolean => protocol === 'grpc' || protocol === 'grpcs';

/**
 * @returns who listens on the API ports. Envoy writes no log of API calls, knows no allowed origins and opens no socket of another
 * directory, so with any of these the filter service does.
 */
export const apiDoorOf = (options: SidecarOptions): 'envoy' | 'service' =>
  options.unixDomainSocket || seesEveryCall(options) ? 'service' : options.apiDoor;

/** @returns whether each API call must pass through Node, so that no connection may be spliced into Envoy */
export const seesEveryCall = ({ apiLogging, allowedOrigins }: SidecarOptions): boolean => apiLogging || Boolean(allowedOrigins);
