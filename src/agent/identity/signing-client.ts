import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';
import { IdentityClient } from '../../gen/weft/identity/v1/identity.js';
import type { SigningClient } from './svid-source.js';

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
}

const SIGN_DEADLINE_MS = 10_000;

/** @returns a client of the certificate authority, with its `close` */
export function createSigningClient(options: SigningClientOptions): SigningClient & { close(): void } {
  const client = new IdentityClient(options.address, channelCredentials(options));
  const metadata = () => {
    const result = new Metadata();
    const credential = options.credential?.();
    if (credential) result.set('authorization', `Bearer ${credential}`);
    return result;
  };
  return {
    sign: (csr, signal) =>
      new Promise((resolve, reject) => {
        const request = {
          namespace: options.namespace,
          appId: options.appId,
          csr: Buffer.from(csr),
          instanceId: options.instanceId,
        };
        const call = client.sign(request, metadata(), { deadline: Date.now() + SIGN_DEADLINE_MS }, (error, response) => {
          signal.removeEventListener('abort', cancel);
          if (error) reject(new Error(error.details || error.message, { cause: error }));
          else resolve(response);
        });
        const cancel = () => call.cancel();
        signal.addEventListener('abort', cancel, { once: true });
      }),
    async *watchTrust(signal) {
      const stream = client.watchTrust({}, metadata());
      const cancel = () => stream.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        for await (const bundle of stream) yield (bundle as { readonly rootsPem: string }).rootsPem;
      } finally {
        signal.removeEventListener('abort', cancel);
        stream.cancel();
      }
    },
    close: () => client.close(),
  };
}

function channelCredentials({ address, trustAnchorsFile }: SigningClientOptions): ChannelCredentials {
  if (address.startsWith('unix:')) return credentials.createInsecure();
  return credentials.createSsl(trustAnchorsFile === undefined ? null : readFileSync(trustAnchorsFile));
}
