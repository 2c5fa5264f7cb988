import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { UsageError } from '../../errors.js';
import { IdentityClient } from '../../gen/weft/identity/v1/identity.js';
import { CONTROL_PLANE_NAME, isControlPlane } from './control-plane-peer.js';
import type { SigningClient, WorkloadIdentity } from './svid-source.js';

export interface SigningClientOptions {
  /** `unix:/path` (the file system proves the user) or `host:port` (TLS, checked against `trustAnchorsFile`). */
  readonly address: string;
  readonly namespace: string;
  readonly appId: string;
  readonly instanceId: string;
  /** PEM file with the mesh's roots; needed for `host:port`. */
  readonly trustAnchorsFile?: string;
  /** Bootstrap credential; secret. Read anew for every call, so that a rotated Kubernetes token is taken up. */
  readonly credential?: () => string | undefined;
  /** What this sidecar has by now: over TLS a living certificate pays for its own renewal, and newer roots are trusted too. */
  readonly current?: () => { readonly identity: WorkloadIdentity | undefined; readonly roots: string | undefined };
}

/** What trying again unchanged cannot help. */
const FINAL: ReadonlySet<number> = new Set([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT]);

/** @returns a client of the certificate authority; it connects anew for each call, with what it has by then */
export function createSigningClient(options: SigningClientOptions): SigningClient {
  const open = () =>
    new IdentityClient(options.address, channelCredentials(options), { 'grpc.ssl_target_name_override': CONTROL_PLANE_NAME });
  const metadata = () => {
    const result = new Metadata();
    const credential = options.credential?.();
    if (credential) result.set('authorization', `Bearer ${credential}`);
    return result;
  };
  return {
    sign(csr, signal, deadlineMs) {
      const client = open();
      const { namespace, appId, instanceId } = options;
      const request = { namespace, appId, instanceId, csr: Buffer.from(csr) };
      return new Promise<Awaited<ReturnType<SigningClient['sign']>>>((resolve, reject) => {
        const call = client.sign(request, metadata(), { deadline: Date.now() + deadlineMs }, (error, response) => {
          signal.removeEventListener('abort', cancel);
          if (error) reject(problem(error));
          else resolve(response);
        });
        const cancel = () => call.cancel();
        signal.addEventListener('abort', cancel, { once: true });
      }).finally(() => client.close());
    },
    async *watchTrust(signal) {
      const client = open();
      const stream = client.watchTrust({}, metadata());
      const cancel = () => stream.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        for await (const bundle of stream) yield (bundle as { readonly rootsPem: string }).rootsPem;
      } finally {
        signal.removeEventListener('abort', cancel);
        stream.cancel();
        client.close();
      }
    },
  };
}

function problem(error: ServiceError): Error {
  const text = error.details || error.message;
  return FINAL.has(error.code) ? new UsageError(`the control plane gives no certificate: ${text}`) : new Error(text);
}

function channelCredentials({ address, trustAnchorsFile, current }: SigningClientOptions): ChannelCredentials {
  if (address.startsWith('unix:')) return credentials.createInsecure();
  const { identity, roots } = current?.() ?? {};
  const anchors = [trustAnchorsFile === undefined ? '' : readFileSync(trustAnchorsFile, 'utf8'), roots ?? ''].join('\n');
  const alive = identity && identity.notAfterMs > Date.now() ? identity : undefined;
  return credentials.createSsl(
    Buffer.from(anchors),
    alive ? Buffer.from(alive.privateKeyPem) : null,
    alive ? Buffer.from(alive.chainPem) : null,
    { checkServerIdentity: (_host, certificate) => isControlPlane(certificate, identity?.trustDomain) },
  );
}
