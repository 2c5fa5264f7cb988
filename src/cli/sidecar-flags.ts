import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { AppProtocol, SidecarOptions } from '../agent/options.js';
import { UsageError } from '../errors.js';
import { isTruthy } from '../lib/duration.js';
import { APP_ID_PATTERN, NAMESPACE_PATTERN } from '../model/instance.js';
import type { LogLevel } from '../telemetry/logger.js';
import { parseControlPlaneAddress } from './args.js';

/** The command line of `weft sidecar`, as commander hands it over. */
export interface SidecarFlags {
  readonly appId: string;
  readonly appPort: number;
  readonly appProtocol: AppProtocol;
  readonly appChannelAddress: string;
  readonly appMaxConcurrency: number;
  readonly daprHttpPort: number;
  readonly daprGrpcPort: number;
  readonly daprListenAddresses?: readonly string[];
  readonly inboundPort: number;
  readonly inboundAddress: string;
  readonly resourcesPath?: readonly string[];
  readonly config?: readonly string[];
  readonly controlPlaneAddress: string;
  readonly enableMtls?: string | boolean;
  readonly joinToken?: string;
  readonly joinTokenFile?: string;
  readonly identityAddress?: string;
  readonly trustAnchorsFile?: string;
  readonly apiDoor: 'envoy' | 'service';
  readonly unixDomainSocket?: string;
  readonly maxBodySize: number;
  readonly readBufferSize?: number;
  readonly daprGracefulShutdownSeconds: number;
  readonly enableApiLogging?: boolean;
  readonly allowedOrigins?: string;
  readonly enableMetrics?: boolean;
  readonly metricsPort?: number;
  readonly metricsListenAddress: string;
  readonly namespace: string;
  readonly label?: readonly string[];
  readonly envoyConcurrency: number;
  readonly enableAppHealthCheck?: boolean;
  readonly appHealthCheckPath: string;
  readonly appHealthProbeInterval: number;
  readonly appHealthProbeTimeout: number;
  readonly appHealthThreshold: number;
  readonly logLevel: string;
  readonly logAsJson?: boolean;
  readonly exitOnStdinClose?: boolean;
}

/** What an app that says nothing of namespaces is in. */
const DEFAULT_NAMESPACE = 'default';

/** @throws UsageError, one line that names the flag and the remedy */
export function sidecarOptions(flags: SidecarFlags, env: NodeJS.ProcessEnv): SidecarOptions {
  checkNames(flags);
  const { host, port } = parseControlPlaneAddress(flags.controlPlaneAddress);
  const addresses = (flags.daprListenAddresses ?? []).map((address) => address.replace(/^\[|\]$/g, ''));
  return {
    appId: flags.appId,
    namespace: flags.namespace,
    ...(env.NAMESPACE || flags.namespace !== DEFAULT_NAMESPACE ? { keyNamespace: flags.namespace } : {}),
    appPort: flags.appPort,
    appProtocol: flags.appProtocol,
    appAddress: flags.appChannelAddress,
    ...(flags.appMaxConcurrency > 0 ? { appMaxConcurrency: flags.appMaxConcurrency } : {}),
    httpPort: flags.daprHttpPort,
    grpcPort: flags.daprGrpcPort,
    listenAddresses: addresses.length > 0 ? addresses : ['127.0.0.1'],
    inboundAddress: flags.inboundAddress,
    inboundPort: flags.inboundPort,
    resourcesPaths: (flags.resourcesPath ?? []).map((path) => existing(path, '--resources-path')),
    configPaths: (flags.config ?? []).map((path) => existing(path, '--config')),
    controlPlaneAddress: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...identityOf(flags),
    apiDoor: flags.apiDoor,
    ...(flags.unixDomainSocket ? { unixDomainSocket: resolve(flags.unixDomainSocket) } : {}),
    maxBodyBytes: flags.maxBodySize,
    ...(flags.readBufferSize ? { maxHeaderBytes: flags.readBufferSize } : {}),
    gracefulShutdownSeconds: Math.max(0, flags.daprGracefulShutdownSeconds),
    apiLogging: flags.enableApiLogging === true,
    ...(flags.allowedOrigins ? { allowedOrigins: flags.allowedOrigins } : {}),
    ...metricsOf(flags),
    envoyConcurrency: Math.max(1, flags.envoyConcurrency),
    logLevel: levelOf(flags.logLevel),
    ...healthOf(flags),
    ...(env.DAPR_API_TOKEN ? { apiToken: env.DAPR_API_TOKEN } : {}),
    ...(env.APP_API_TOKEN ? { appToken: env.APP_API_TOKEN } : {}),
    labels: Object.fromEntries((flags.label ?? []).map(labelOf)),
    runPid: Number(env.WEFT_RUN_PID) || 0,
    appPid: Number(env.WEFT_APP_PID) || 0,
    appCommand: env.WEFT_APP_COMMAND ?? '',
  };
}

/** @throws UsageError, one line that names the flag and the remedy */
function checkNames(flags: SidecarFlags): void {
  if (!APP_ID_PATTERN.test(flags.appId))
    throw new UsageError(
      `--app-id ${flags.appId}: use 1 to 64 letters, digits, "-" and "_", with a letter or digit at both ends`,
    );
  if (!NAMESPACE_PATTERN.test(flags.namespace))
    throw new UsageError(`--namespace ${flags.namespace}: use 1 to 63 lower-case letters, digits and "-"`);
  for (const [port, flag] of [
    [flags.daprHttpPort, '--dapr-http-port'],
    [flags.daprGrpcPort, '--dapr-grpc-port'],
  ] as const)
    if (port === 0) throw new UsageError(`${flag} 0: name the port, the app must know it`);
}

/** daprd knows two levels more; both are worse than an error. */
export const levelOf = (text: string): LogLevel => (text === 'fatal' || text === 'panic' ? 'error' : (text as LogLevel));

function existing(path: string, flag: string): string {
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new UsageError(`${flag} ${path}: there is no such file or directory`);
  return absolute;
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--label ${text}: expected name=value, such as version=v2`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** For commander. */
export function countArgument(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

/** daprd takes `--flag` and `--flag=false` alike. */
export function switchArgument(text: string): boolean {
  return isTruthy(text);
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** Kubernetes-style quantities, as daprd takes them. @returns bytes */
export function sizeArgument(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([kKMG]i?)?$/.exec(text) ?? [];
  const factor = FACTORS[unit] ?? FACTORS[unit.replace('K', 'k')];
  if (amount === undefined || factor === undefined) throw new InvalidArgumentError('Expected a size, such as 4Mi or 65536.');
  return Math.floor(Number(amount) * factor);
}

function healthOf(flags: SidecarFlags): Pick<SidecarOptions, 'appHealth'> {
  if (!flags.enableAppHealthCheck) return {};
  return {
    appHealth: {
      path: flags.appHealthCheckPath,
      intervalMs: flags.appHealthProbeInterval * 1000,
      timeoutMs: flags.appHealthProbeTimeout,
      threshold: Math.max(1, flags.appHealthThreshold),
    },
  };
}

function metricsOf({
  enableMetrics,
  metricsListenAddress: host,
  metricsPort: port,
}: SidecarFlags): Pick<SidecarOptions, 'metrics'> {
  if (enableMetrics === false) return {};
  return { metrics: port === undefined ? { host } : { host, port } };
}

/** How the sidecar gets its certificate. Without a control plane elsewhere that is its Unix socket's affair. */
function identityOf(flags: SidecarFlags): Pick<SidecarOptions, 'identityAddress' | 'join' | 'requireMtls'> {
  const { identityAddress, joinToken, joinTokenFile, trustAnchorsFile, enableMtls } = flags;
  const requireMtls = enableMtls === true || isTruthy(typeof enableMtls === 'string' ? enableMtls : undefined);
  if (!identityAddress) {
    if (joinToken || joinTokenFile) throw new UsageError('--join-token: name the control plane with --identity-address as well');
    return { join: {}, requireMtls };
  }
  if (!/:\d+$/.test(identityAddress)) throw new UsageError(`--identity-address ${identityAddress}: expected host:port`);
  if (!joinToken && !joinTokenFile) throw new UsageError('--identity-address needs --join-token or --join-token-file');
  if (!trustAnchorsFile) throw new UsageError('--identity-address needs --trust-anchors-file: weft mtls export makes it');
  const join = {
    ...(joinToken ? { token: joinToken } : {}),
    ...(joinTokenFile ? { tokenFile: existing(joinTokenFile, '--join-token-file') } : {}),
    trustAnchorsFile: existing(trustAnchorsFile, '--trust-anchors-file'),
  };
  return { identityAddress, join, requireMtls: true };
}
