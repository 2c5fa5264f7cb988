import { APP_ID_PATTERN } from '../../model/instance.js';
import { didYouMean } from '../suggest.js';

/**
 * Every setting of one app, under the name it has in Dapr's multi-app run file. One table serves the run file, the flags of
 * `weft run` and the flags that a sidecar is started with, so that a new setting is one new row.
 */
export interface FieldRow<T extends FieldType = FieldType> {
  readonly type: T;
  /** May stand under `common` too, as a default for every app. */
  readonly shared: boolean;
  /** `sidecar`: handed to it as `flag`; `run`: used by `weft run` itself; `none`: read so that existing files load. */
  readonly effect: 'sidecar' | 'run' | 'none';
  readonly flag?: string;
  readonly short?: string;
  readonly help?: string;
}

export type FieldType = 'text' | 'appId' | 'port' | 'count' | 'switch' | 'path' | 'paths' | 'command' | 'env' | readonly string[];

export type LogDestination = 'console' | 'file' | 'fileAndConsole';
const DESTINATIONS = ['console', 'file', 'fileAndConsole'] as const;

const sidecar = <const T extends FieldType>(
  type: T,
  shared: boolean,
  flag: string,
  help: string,
  short?: string,
): FieldRow<T> => ({
  type,
  shared,
  effect: 'sidecar',
  flag,
  help,
  short,
});
const none = <const T extends FieldType>(type: T, shared: boolean): FieldRow<T> => ({ type, shared, effect: 'none' });

export const runFields = {
  appID: sidecar('appId', false, 'app-id', "the app's name, by which others call it", 'a'),
  appDirPath: { type: 'path', shared: false, effect: 'run' },
  command: { type: 'command', shared: false, effect: 'run' },
  env: { type: 'env', shared: true, effect: 'run' },
  appLogDestination: { type: DESTINATIONS, shared: true, effect: 'run' },
  daprdLogDestination: { type: DESTINATIONS, shared: true, effect: 'run' },
  appPort: sidecar('port', false, 'app-port', 'the port your app listens on', 'p'),
  appProtocol: sidecar(
    ['http', 'https', 'h2c', 'grpc', 'grpcs'],
    true,
    'app-protocol',
    'how the sidecar talks to your app: http, https, h2c, grpc or grpcs',
    'P',
  ),
  appChannelAddress: sidecar('text', false, 'app-channel-address', 'the address your app listens on'),
  daprHTTPPort: sidecar('port', false, 'dapr-http-port', "the sidecar's HTTP port; default: a free one from 3500 on", 'H'),
  daprGRPCPort: sidecar('port', false, 'dapr-grpc-port', "the sidecar's gRPC port; default: a free one from 50001 on", 'G'),
  daprInternalGRPCPort: sidecar('port', false, 'dapr-internal-grpc-port', "the port for other apps' sidecars", 'I'),
  metricsPort: sidecar('port', false, 'metrics-port', 'the port of the metrics', 'M'),
  apiDoor: sidecar(['envoy', 'service'], true, 'api-door', 'who listens on the API ports: envoy or service'),
  apiListenAddresses: sidecar('text', true, 'dapr-listen-addresses', 'addresses that the API listens on, comma-separated'),
  unixDomainSocket: sidecar('text', false, 'unix-domain-socket', 'serve the API on Unix sockets in this directory', 'u'),
  configFilePath: sidecar('path', true, 'config', 'a Configuration file', 'c'),
  resourcesPath: { type: 'path', shared: true, effect: 'run' },
  resourcesPaths: sidecar('paths', true, 'resources-path', 'a directory with resources; may be given again', 'd'),
  logLevel: sidecar(['debug', 'info', 'warn', 'error', 'fatal', 'panic'], true, 'log-level', 'debug, info, warn or error'),
  enableApiLogging: sidecar('switch', true, 'enable-api-logging', 'log API calls'),
  appMaxConcurrency: sidecar('count', true, 'app-max-concurrency', 'calls to the app at one time; -1: no limit'),
  maxBodySize: sidecar('text', true, 'max-body-size', 'largest request body, such as 4Mi'),
  readBufferSize: sidecar('text', true, 'read-buffer-size', 'largest request head, such as 4Ki'),
  enableAppHealthCheck: sidecar('switch', true, 'enable-app-health-check', "watch the app's health"),
  appHealthCheckPath: sidecar('text', true, 'app-health-check-path', 'path of the health check'),
  appHealthProbeInterval: sidecar('count', true, 'app-health-probe-interval', 'seconds between two checks'),
  appHealthProbeTimeout: sidecar('count', true, 'app-health-probe-timeout', 'milliseconds until a check has failed'),
  appHealthThreshold: sidecar('count', true, 'app-health-threshold', 'failures until the app counts as unhealthy'),
  enableProfiling: none('switch', true),
  profilePort: none('port', false),
  appSSL: none('switch', true),
  placementHostAddress: none('text', true),
  schedulerHostAddress: none('text', true),
  runtimePath: none('text', true),
  containerImage: none('text', false),
  containerImagePullPolicy: none(['Always', 'Never', 'IfNotPresent'], false),
  createService: none('switch', false),
} as const satisfies Record<string, FieldRow>;

export type FieldName = keyof typeof runFields;
export const fieldNames = Object.keys(runFields) as readonly FieldName[];
export const rowOf = (name: FieldName): FieldRow => runFields[name];

type ValueOf<T> = T extends 'text' | 'appId' | 'path'
  ? string
  : T extends 'port' | 'count'
    ? number
    : T extends 'switch'
      ? boolean
      : T extends 'paths' | 'command'
        ? readonly string[]
        : T extends 'env'
          ? Readonly<Record<string, string>>
          : T extends readonly (infer Choice)[]
            ? Choice
            : never;

/** What was said of one app, each value of the type its row names. */
export type AppFields = { readonly [Name in FieldName]?: ValueOf<(typeof runFields)[Name]['type']> };

/** @returns the value in its row's type, or what is wrong with it: "expected …, got …" */
export function readField(type: FieldType, value: unknown): { readonly value: unknown } | { readonly problem: string } {
  if (typeof type !== 'string') {
    if (typeof value === 'string' && type.includes(value)) return { value };
    const near = typeof value === 'string' ? didYouMean(value, type) : '';
    return { problem: `expected one of ${type.join(', ')}, got ${shown(value)}${near}` };
  }
  const { what, read } = readers[type];
  const result = read(value);
  return result === undefined ? { problem: `expected ${what}, got ${shown(value)}` } : { value: result };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const whole = (value: unknown): number | undefined => (Number.isSafeInteger(value) ? (value as number) : undefined);
const texts = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.every(isText) ? value : undefined;

const readers: Readonly<
  Record<Exclude<FieldType, readonly string[]>, { readonly what: string; readonly read: (value: unknown) => unknown }>
> = {
  text: { what: 'text', read: (value) => (isText(value) ? value : typeof value === 'number' ? String(value) : undefined) },
  appId: {
    what: 'an app id (letters, digits, - and _, no dots, at most 64)',
    read: (value) => (isText(value) && APP_ID_PATTERN.test(value) ? value : undefined),
  },
  port: {
    what: 'a port (a number from 0 to 65535)',
    read: (value) => ((whole(value) ?? -1) >= 0 && (value as number) <= 65_535 ? value : undefined),
  },
  count: { what: 'a whole number', read: whole },
  switch: { what: 'true or false', read: (value) => (typeof value === 'boolean' ? value : undefined) },
  path: { what: 'a path', read: (value) => (isText(value) ? value : undefined) },
  // Dapr's documentation shows one comma-separated text, its parser takes a list.
  paths: {
    what: 'a path or a list of paths',
    read: (value) => (isText(value) ? value.split(',').map((part) => part.trim()) : texts(value)),
  },
  command: { what: 'a list of words, such as ["python3", "app.py"]', read: (value) => texts(value) },
  env: {
    what: 'a map from names to texts',
    read: (value) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined),
  },
};

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
