/** What a benchmark run is made of: subjects (who carries the request) times rows (which path it takes). */

export type SubjectName = 'direct' | 'bare-envoy' | 'weft-envoy' | 'weft-service' | 'daprd';
export type RowName =
  | 'invoke-http'
  | 'invoke-grpc'
  | 'invoke-http-mtls'
  | 'invoke-grpc-mtls'
  | 'sse'
  | 'large-body'
  | 'route-change'
  | 'new-app-callable'
  | 'envoy-recovery'
  | 'state-get'
  | 'state-save'
  | 'publish-deliver'
  | 'actor-call'
  | 'startup'
  | 'idle-memory';

/** What a data plane does besides passing requests on. */
export const FEATURES = ['mtls', 'access', 'resiliency', 'tracing', 'metrics'] as const;
export type Feature = (typeof FEATURES)[number];

/** One hop: the app's own sidecar. Two hops: the caller's sidecar and the app's. */
export interface Topology {
  readonly hops: 1 | 2;
  readonly appProtocol: 'http' | 'grpc';
  /** What the app says at `/dapr/config` and `/dapr/subscribe`. */
  readonly appRole: 'plain' | 'subscriber' | 'actors';
  /** True: every feature is on, except those that `--without` names. Default: as plain as a subject can be. */
  readonly allFeatures?: boolean;
}

/** Where the load goes, the same path and body for every subject. */
export interface Target {
  readonly httpPort: number;
  /** HTTP/2 cleartext port for gRPC. */
  readonly grpcPort: number;
}

export type ProcessPart = 'envoy' | 'node' | 'daprd' | 'app';

/** A process whose CPU and memory count as the sidecars'. */
export interface MeasuredProcess {
  readonly pid: number;
  readonly part: ProcessPart;
}

export interface Running {
  readonly target: Target;
  readonly app: BenchApp;
  /** Read anew for every measurement: a supervised Envoy may have a new pid. */
  sidecars(): readonly MeasuredProcess[];
  /** Stops what was started for this subject; safe to call twice. */
  stop(): Promise<void>;
}

export interface PublishRun {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
}

/** The app under test, in its own process, the same for every subject. */
export interface BenchApp {
  readonly pid: number;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Unix socket that serves what `httpPort` serves. */
  readonly socketPath: string;
  /** Requests and deliveries that the app has answered so far. */
  served(): Promise<number>;
  /** Publishes in a closed loop: a slot publishes again when its event was delivered. */
  publish(run: PublishRun): Promise<LoadResult>;
  stop(): Promise<void>;
}

export interface LoadResult {
  readonly requests: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests that failed or were answered with something else than success. */
  readonly errors: number;
  readonly detail?: Sample['detail'];
}

export interface Subject {
  readonly name: SubjectName;
  start(topology: Topology): Promise<Running>;
  /**
   * Prepares everything but the sidecar; each call of the returned `once` starts one sidecar.
   * Absent for `direct`, which has none.
   */
  readonly startup?: () => Promise<StartupProbe>;
  /** Prepares a mesh with `callers` sidecars; each call of `once` changes one route. Absent where routes are static. */
  readonly routeChange?: (callers: number) => Promise<StartupProbe>;
  /** Prepares a mesh with `callers` sidecars; each call of `once` starts one more app and its sidecar. */
  readonly newApp?: (callers: number) => Promise<StartupProbe>;
  /** Prepares a caller's and an app's sidecar; each call of `once` kills the Envoy of the app's. */
  readonly envoyRecovery?: () => Promise<StartupProbe>;
}

export interface StartupProbe {
  /** @returns milliseconds until what the row waits for: a new sidecar's readiness, a changed route in force at every caller, and so on */
  once(): Promise<number>;
  stop(): Promise<void>;
}

/** One round of one subject. Null: the row has no such figure. */
export interface Sample {
  readonly rps: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** CPU microseconds of the sidecars per request, by part. */
  readonly cpuUs: Readonly<Partial<Record<ProcessPart, number>>>;
  /** Proportional set size of the sidecars, MB, by part. */
  readonly pssMb: Readonly<Partial<Record<ProcessPart, number>>>;
  readonly errors: number;
  /** Figures that only this row has. */
  readonly detail?: Readonly<Record<string, number>>;
}

export interface RunOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** Closed-loop connections. */
  readonly connections: number;
  readonly workDir: string;
  say(text: string): void;
}

/** Measures all subjects of one row in turn, round by round. */
export interface Row {
  readonly name: RowName;
  readonly about: string;
  run(subjects: readonly Subject[], options: RunOptions): Promise<ReadonlyMap<SubjectName, readonly Sample[]>>;
}
