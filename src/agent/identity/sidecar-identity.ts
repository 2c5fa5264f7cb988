import { readFileSync } from 'node:fs';
import type { ChannelCredentials } from '@grpc/grpc-js';
import type { Logger } from '../../telemetry/logger.js';
import { svidCredentials } from './channel-credentials.js';
import type { SdsServer } from './sds-server.js';
import { createSigningClient } from './signing-client.js';
import { svidSecrets } from './svid-secrets.js';
import { type SigningHistory, startSvidSource } from './svid-source.js';

/** How a sidecar proves its app when it cannot open the control plane's Unix socket. */
export interface JoinOptions {
  /** Secret. */
  readonly token?: string;
  /** Read anew for every use. */
  readonly tokenFile?: string;
  /** PEM: the roots that the control plane's certificate must come from. */
  readonly trustAnchorsFile?: string;
}

export interface SidecarIdentityOptions extends JoinOptions {
  /** Of the identity service: `unix:/path` or `host:port`. */
  readonly address: string;
  readonly namespace: string;
  readonly appId: string;
  readonly instanceId: string;
  /** Where Envoy asks for its secrets. */
  readonly sds: SdsServer;
}

/** This sidecar's certificate: for its Envoy by SDS, for its own connections as credentials. */
export interface SidecarIdentity {
  readonly credentials: ChannelCredentials;
  /** Resolves with the first certificate. Rejects with a UsageError when the control plane refuses to give one. */
  readonly ready: Promise<void>;
  history(): SigningHistory;
  close(): void;
}

/** Starts to obtain a certificate and serves it to Envoy as soon as it is there. */
export function startSidecarIdentity(options: SidecarIdentityOptions, logger: Logger): SidecarIdentity {
  const { token, tokenFile } = options;
  const credential = () => token ?? (tokenFile ? readFileSync(tokenFile, 'utf8').trim() : undefined);
  const client = createSigningClient({
    ...options,
    credential,
    current: () => ({ identity: source.identity(), roots: source.roots() }),
  });
  const source = startSvidSource(client, logger);
  options.sds.add(svidSecrets(source));
  return {
    credentials: svidCredentials(source),
    ready: source.ready,
    history: source.history,
    close: source.close,
  };
}
