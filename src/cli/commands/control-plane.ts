import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { UsageError } from '../../errors.js';
import { parseGoDuration } from '../../lib/duration.js';
import { weftDir, weftHome } from '../../lib/weft-home.js';
import { embeddedDefaults, loadResourceSet } from '../../model/resources/index.js';
import { createLogger, type LogLevel } from '../../telemetry/logger.js';
import { CONTROL_PLANE_DEFAULTS, startControlPlane } from '../../xds/control-plane.js';
import { createSnapshotBuilder } from '../../xds/snapshot-builder.js';
import { listArgument, portArgument, withExamples } from '../args.js';
import type { KubernetesFlags } from '../kubernetes-flags.js';
import { DEFAULT_TRUST_DOMAIN, mtlsOf } from '../mtls-flags.js';

interface Flags extends KubernetesFlags {
  readonly port: number;
  readonly httpPort: number;
  readonly listenAddress: string;
  readonly resourcesPath?: readonly string[];
  readonly config?: readonly string[];
  readonly leaseTtl: string;
  readonly enableMtls?: string | boolean;
  readonly trustDomain: string;
  readonly workloadCertTtl?: string;
  readonly allowedClockSkew?: string;
  readonly trustAnchorsFile?: string;
  readonly issuerCertificateFile?: string;
  readonly issuerKeyFile?: string;
  readonly logLevel: LogLevel;
  readonly logAsJson?: boolean;
}

export function define(command: Command): void {
  command
    .option('--port <port>', 'gRPC port: ADS and registry; 0 takes any', portArgument, 18000)
    .option('--http-port <port>', 'HTTP port: status, /healthz, /metrics; 0 takes any', portArgument, 18001)
    .option('--listen-address <address>', 'address to listen on', '127.0.0.1')
    .option('-d, --resources-path <dir>', 'directory with Component, Subscription … YAML; repeatable', listArgument)
    .option('-c, --config <file>', 'Configuration file; repeatable, later ones win', listArgument)
    .option(
      '--lease-ttl <duration>',
      'how long an instance stays without a heartbeat',
      `${CONTROL_PLANE_DEFAULTS.leaseTtlMs / 1000}s`,
    )
    .addOption(new Option('--enable-mtls [value]', 'mTLS between sidecars and with them; default: on').env('WEFT_ENABLE_MTLS'))
    .option('--trust-domain <name>', 'of every identity: spiffe://<name>/ns/<namespace>/<app id>', DEFAULT_TRUST_DOMAIN)
    .option('--workload-cert-ttl <duration>', 'lifetime of a certificate; default: 24h')
    .option('--allowed-clock-skew <duration>', "how far a host's clock may be behind; default: 15m")
    .option('--trust-anchors-file <file>', 'own CA: the roots to trust, PEM')
    .option('--issuer-certificate-file <file>', 'own CA: the certificate that signs, PEM')
    .option('--issuer-key-file <file>', 'own CA: its key, ECDSA P-256, PEM')
    .option('--identity-port <port>', 'TLS port where sidecars of other hosts join with a token; 0: none', portArgument, 0)
    .option(
      '--kubernetes-token-review',
      'sidecars may join with their pod’s service-account token, which the API server is asked about',
    )
    .option('--kubernetes-api-server <url>', 'https://host:port; default: as Kubernetes tells pods')
    .option('--kubernetes-token-file <file>', "the control plane's own token for the API server; default: its pod's")
    .option('--kubernetes-ca-file <file>', "what the API server's certificate comes from, PEM; default: its pod's")
    .option('--kubernetes-audience <name>', 'whom the sidecars’ tokens must be for; default: weft')
    .addOption(new Option('--log-level <level>', 'what to log').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .option('--log-as-json', 'log one JSON object a line')
    .action(controlPlane);
  withExamples(command, [
    ['With the embedded defaults, or ~/.weft/resources when it is there', 'weft control-plane'],
    ['With components of your own', 'weft control-plane --resources-path ./components'],
  ]);
}

async function controlPlane(flags: Flags): Promise<void> {
  const leaseTtlMs = leaseTtlOf(flags.leaseTtl);
  const resources = {
    resourcesPaths: (flags.resourcesPath ?? defaultResources()).map((path) => existing(path, '--resources-path')),
    configPaths: (flags.config ?? []).map((path) => existing(path, '--config')),
  };
  const logger = createLogger({ level: flags.logLevel, json: flags.logAsJson === true, fields: { scope: 'control-plane' } });
  const { port, httpPort, listenAddress } = flags;
  const running = await startControlPlane(
    {
      port,
      httpPort,
      listenAddress,
      resources,
      leaseTtlMs,
      settleMs: CONTROL_PLANE_DEFAULTS.settleMs,
      stateDirectory: weftDir('control-plane'),
      mtls: mtlsOf(flags),
    },
    { logger, loadResources: loadResourceSet, embedded: embeddedDefaults(), snapshots: createSnapshotBuilder() },
  );
  await untilSignal();
  await running.close();
  logger.info('control plane stopped');
}

/** The directory that every app of this user shares, if there is one. */
function defaultResources(): readonly string[] {
  const shared = join(weftHome(), 'resources');
  return existsSync(shared) ? [shared] : [];
}

function existing(path: string, flag: string): string {
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new UsageError(`${flag} ${path}: there is no such file or directory`);
  return absolute;
}

function leaseTtlOf(text: string): number {
  const ms = parseGoDuration(text);
  if (ms === undefined || ms < 500) throw new UsageError(`--lease-ttl ${text}: give a duration of at least 500ms, such as 5s`);
  return ms;
}

function untilSignal(): Promise<void> {
  return new Promise((done) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => done());
  });
}
