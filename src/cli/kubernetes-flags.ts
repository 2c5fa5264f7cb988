import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../errors.js';
import type { MtlsOptions } from '../xds/security.js';

/** The flags of `weft control-plane` that are about Kubernetes, as commander hands them over. */
export interface KubernetesFlags {
  readonly kubernetesTokenReview?: boolean;
  readonly kubernetesApiServer?: string;
  readonly kubernetesTokenFile?: string;
  readonly kubernetesCaFile?: string;
  readonly kubernetesAudience?: string;
  readonly identityPort: number;
}

/** Where Kubernetes puts a pod's own credentials. */
const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Of tokens that are for us. */
const AUDIENCE = 'weft';

/**
 * @param env of the control plane: inside of a cluster it says where the API server is
 * @returns undefined: service-account tokens are not taken
 * @throws UsageError, one line that names the flag and the remedy
 */
export function kubernetesOf(
  flags: KubernetesFlags,
  env: Readonly<Record<string, string | undefined>>,
): MtlsOptions['kubernetes'] {
  const { kubernetesTokenReview, kubernetesApiServer, kubernetesTokenFile, kubernetesCaFile, kubernetesAudience } = flags;
  if (!kubernetesTokenReview) {
    if (kubernetesApiServer || kubernetesTokenFile || kubernetesCaFile || kubernetesAudience)
      throw new UsageError('the flags --kubernetes-… need --kubernetes-token-review as well');
    return undefined;
  }
  if (flags.identityPort === 0)
    throw new UsageError('--kubernetes-token-review: open a port where sidecars bring their tokens with --identity-port');
  return {
    server: serverOf(kubernetesApiServer, env),
    tokenFile: existing(kubernetesTokenFile, '--kubernetes-token-file', 'token'),
    caFile: existing(kubernetesCaFile, '--kubernetes-ca-file', 'ca.crt'),
    audience: kubernetesAudience || AUDIENCE,
  };
}

function serverOf(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (!flag && !host) throw new UsageError('outside of a cluster --kubernetes-token-review needs --kubernetes-api-server');
  const server = flag ?? `https://${host?.includes(':') ? `[${host}]` : host}:${port}`;
  // A token that went over plain HTTP would be everybody's.
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:' || new URL(server).pathname !== '/')
    throw new UsageError(`--kubernetes-api-server ${server}: give https://host:port`);
  return server;
}

function existing(flag: string | undefined, name: string, file: string): string {
  const path = flag ? resolve(flag) : `${MOUNT}/${file}`;
  if (!existsSync(path)) throw new UsageError(`${name} ${path}: there is no such file`);
  return path;
}
