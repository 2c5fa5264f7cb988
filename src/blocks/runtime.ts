/** What the sidecar as a whole tells through the health, metadata and shutdown API (reference §1.8). Implemented by agent/, formatted by api/. */
export interface Runtime {
  readonly appId: string;
  /** Undefined: ready. Else the reason, one line. */
  notReady(): string | undefined;
  /** As `notReady`, but true before the app is reachable. */
  outboundNotReady(): string | undefined;
  metadata(): SidecarMetadata;
  setMetadata(key: string, value: string): void;
  /** Starts the graceful stop and returns at once; `force` ends the process with code 1 after 100 ms. */
  shutdown(force: boolean): void;
}

export interface SidecarMetadata {
  readonly id: string;
  readonly runtimeVersion: string;
  readonly enabledFeatures: readonly string[];
  readonly components: readonly {
    readonly name: string;
    readonly type: string;
    readonly version: string;
    readonly capabilities: readonly string[];
  }[];
  readonly extended: Readonly<Record<string, string>>;
  readonly subscriptions: readonly SubscriptionMetadata[];
  readonly httpEndpoints: readonly { readonly name: string }[];
  readonly appConnectionProperties?: {
    readonly port: number;
    readonly protocol: string;
    readonly channelAddress: string;
    readonly maxConcurrency?: number;
  };
  readonly actorRuntime: {
    readonly runtimeStatus: 'INITIALIZING' | 'DISABLED' | 'RUNNING';
    readonly activeActors: readonly { readonly type: string; readonly count: number }[];
    readonly hostReady: boolean;
    readonly placement: string;
  };
}

export interface SubscriptionMetadata {
  readonly pubsubname: string;
  readonly topic: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly rules: readonly { readonly match: string; readonly path: string }[];
  readonly deadLetterTopic: string;
  readonly type: 'DECLARATIVE' | 'PROGRAMMATIC' | 'STREAMING';
}
