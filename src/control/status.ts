import type { InstanceState } from '../model/instance.js';
import type { NodeIdentity } from '../model/names.js';

/** Read-only views for people: `weft proxy-status`, `weft proxy-config`, `weft list`, the HTTP status API. */

/** Of one resource type on one proxy. `NOT SENT`: nothing to send, or not asked for. */
export type SyncState = 'SYNCED' | 'STALE' | 'NACKED' | 'NOT SENT';

export interface NackStatus {
  /** The proxy's own words. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Resources in question, with the version that was refused. */
  readonly resources: readonly { readonly name: string; readonly version: string }[];
}

export interface TypeStatus {
  readonly typeUrl: string;
  readonly state: SyncState;
  /** Control plane revision and nonce of the newest response. */
  readonly version?: string;
  readonly nonce?: string;
  /** Of the newest response that was acknowledged. */
  readonly ackedVersion?: string;
  readonly ackedNonce?: string;
  /** How many resources the proxy has. */
  readonly resources: number;
  readonly nack?: NackStatus;
}

export interface ProxyStatus {
  readonly nodeId: string;
  readonly node: NodeIdentity;
  readonly connected: boolean;
  /** Milliseconds since the epoch; of the newest stream. */
  readonly connectedAt?: number;
  readonly types: readonly TypeStatus[];
}

export interface SentResource {
  readonly name: string;
  readonly version: string;
  /** False: this version was refused, the proxy runs on the one before. */
  readonly accepted: boolean;
  /** The resource, secrets redacted; null when it was sent by an earlier control plane and has not changed since. */
  readonly config: unknown;
}

/** What the ADS server lets others see. */
export interface ProxyStatusPort {
  /** Type URLs by their short name, such as `cluster`. */
  readonly types: Readonly<Record<string, string>>;
  proxies(): readonly ProxyStatus[];
  /** @returns what the proxy was sent, by name; undefined when it is not connected */
  sent(nodeId: string, typeUrl: string): readonly SentResource[] | undefined;
}

/** A component that is in force for some app; never its metadata. */
export interface ComponentStatus {
  readonly name: string;
  readonly namespace: string;
  readonly type: string;
  readonly version: string;
  readonly source: string;
  /** Ids of the attached apps that get it. */
  readonly apps: readonly string[];
}

/** What `weft proxy-config` shows of one node. */
export interface ProxyConfig {
  readonly nodeId: string;
  readonly types: readonly { readonly type: string; readonly resources: readonly SentResource[] }[];
}

/** One attached instance, as `weft list` shows it. */
export interface AppStatus {
  readonly appId: string;
  readonly namespace: string;
  readonly instanceId: string;
  readonly state: InstanceState;
  readonly pid: number;
  readonly appPid: number;
  readonly runPid: number;
  readonly command: string;
  readonly apiDoor: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  readonly appPort: number;
  readonly appProtocol: string;
  readonly actorTypes: readonly string[];
  readonly startedAtMs: number;
  readonly ageMs: number;
}
