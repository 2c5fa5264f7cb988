import { type AppFields, type FieldName, fieldNames, type LogDestination, rowOf } from './fields.js';

/** One app as it will be run: everything checked, every path absolute, ports still open where none was given. */
export interface AppPlan {
  readonly appId: string;
  /** Where it was asked for, for messages: `weft.yaml: apps[0]` or `weft run`. */
  readonly place: string;
  readonly directory: string;
  /** Empty: a sidecar without an app of ours. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly appPort: number;
  readonly appProtocol: string;
  readonly httpPort?: number;
  readonly grpcPort?: number;
  readonly appLog: LogDestination;
  readonly sidecarLog: LogDestination;
  /** Flags of `weft sidecar` beyond app id, app port and API ports. */
  readonly sidecarFlags: readonly string[];
}

export interface RunPlan {
  /** Absolute path of the run file, if there is one. */
  readonly runFile?: string;
  readonly apps: readonly AppPlan[];
  /** Remarks that are no errors, such as fields without an effect. */
  readonly notes: readonly string[];
}

const OWN_FLAGS: ReadonlySet<FieldName> = new Set(['appID', 'appPort', 'daprHTTPPort', 'daprGRPCPort']);

/** @returns the flags of `weft sidecar` for every given field that is the sidecar's business */
export function sidecarFlags(fields: AppFields): readonly string[] {
  const flags: string[] = [];
  for (const name of fieldNames) {
    const { effect, flag } = rowOf(name);
    const value = fields[name];
    if (effect !== 'sidecar' || flag === undefined || value === undefined || value === false || OWN_FLAGS.has(name)) continue;
    if (value === true) flags.push(`--${flag}`);
    else for (const one of Array.isArray(value) ? value : [value]) flags.push(`--${flag}`, String(one));
  }
  return flags;
}

export interface PlanContext {
  readonly appId: string;
  readonly place: string;
  readonly directory: string;
  /** What a sidecar's log does when nothing is said. */
  readonly sidecarLog: LogDestination;
}

/** @returns the plan of one app from its checked fields */
export function planApp(fields: AppFields, context: PlanContext): AppPlan {
  return {
    appId: context.appId,
    place: context.place,
    directory: context.directory,
    command: fields.command ?? [],
    env: fields.env ?? {},
    appPort: fields.appPort ?? 0,
    appProtocol: fields.appProtocol ?? 'http',
    httpPort: fields.daprHTTPPort || undefined,
    grpcPort: fields.daprGRPCPort || undefined,
    appLog: fields.appLogDestination ?? 'fileAndConsole',
    sidecarLog: fields.daprdLogDestination ?? context.sidecarLog,
    sidecarFlags: sidecarFlags(fields),
  };
}
