import { resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { isTruthy, parseGoDuration } from '../lib/duration.js';
import { TRUST_DOMAIN_PATTERN } from '../model/spiffe.js';
import type { MtlsOptions } from '../xds/security.js';
import { type KubernetesFlags, kubernetesOf } from './kubernetes-flags.js';

/** The trust domain of every app in Dapr that names none (reference §4.3), so that access rules need no change. */
export const DEFAULT_TRUST_DOMAIN = 'public';

/** The flags of `weft control-plane` that are about identity, as commander hands them over. */
export interface MtlsFlags extends KubernetesFlags {
  readonly enableMtls?: string | boolean;
  readonly trustDomain: string;
  readonly workloadCertTtl?: string;
  readonly allowedClockSkew?: string;
  readonly trustAnchorsFile?: string;
  readonly issuerCertificateFile?: string;
  readonly issuerKeyFile?: string;
  readonly identityPort: number;
}

const SHORTEST_TTL_MS = 2000;

/** @throws UsageError, one line that names the flag and the remedy */
export function mtlsOf(flags: MtlsFlags): MtlsOptions {
  if (!TRUST_DOMAIN_PATTERN.test(flags.trustDomain))
    throw new UsageError(`--trust-domain ${flags.trustDomain}: use lower-case letters, digits, ".", "-" and "_"`);
  const { enableMtls, trustDomain, identityPort } = flags;
  const enabled = typeof enableMtls === 'string' ? isTruthy(enableMtls) : enableMtls;
  const leafTtlMs = durationOf(flags.workloadCertTtl, '--workload-cert-ttl', SHORTEST_TTL_MS);
  const clockSkewMs = durationOf(flags.allowedClockSkew, '--allowed-clock-skew', 0);
  const ownCa = ownCaOf(flags);
  const kubernetes = kubernetesOf(flags, process.env);
  return {
    trustDomain,
    identityPort,
    ...(enabled === undefined ? {} : { enabled }),
    ...(leafTtlMs === undefined ? {} : { leafTtlMs }),
    ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
    ...(ownCa ? { ownCa } : {}),
    ...(kubernetes ? { kubernetes } : {}),
  };
}

/** @returns milliseconds; undefined: the flag is not there */
export function durationOf(text: string | undefined, flag: string, leastMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseGoDuration(text);
  if (ms === undefined || ms < leastMs)
    throw new UsageError(`${flag} ${text}: give a duration of at least ${leastMs / 1000}s, such as 24h`);
  return ms;
}

function ownCaOf({
  trustAnchorsFile: anchors,
  issuerCertificateFile: issuer,
  issuerKeyFile: key,
}: MtlsFlags): MtlsOptions['ownCa'] {
  if (!anchors && !issuer && !key) return undefined;
  if (!anchors || !issuer || !key)
    throw new UsageError('an own CA needs --trust-anchors-file, --issuer-certificate-file and --issuer-key-file together');
  return { anchors: resolve(anchors), issuer: resolve(issuer), key: resolve(key) };
}
