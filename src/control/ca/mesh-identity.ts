import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { UsageError } from '../../errors.js';
import { IdentityService } from '../../gen/weft/identity/v1/identity.js';
import { identitySocket } from '../../lib/identity-socket.js';
import type { Logger } from '../../telemetry/logger.js';
import { listenTls, type TlsListener } from '../tls-listen.js';
import { type CertificateAuthority, createCertificateAuthority } from './certificate-authority.js';
import { type CredentialVerifier, joinTokenOr, joinTokenVerifier, renewalVerifier, unixSocketVerifier } from './credentials.js';
import { identityService } from './identity-server.js';
import { createIssuedCertificates, type IssuedCertificates } from './issued.js';
import { newTokenKey } from './join-token.js';
import { type KubernetesApiOptions, kubernetesApi } from './kubernetes-api.js';
import { loadOwnCa, loadRoots } from './root-store.js';
import { type ServerIdentity, startServerIdentity } from './server-identity.js';
import { serviceAccountVerifier } from './service-account.js';

export interface MeshIdentityOptions {
  readonly trustDomain: string;
  /** Private to the user: roots, the key of join tokens, the sockets. */
  readonly directory: string;
  /** Milliseconds. */
  readonly leafTtlMs: number;
  readonly clockSkewMs: number;
  /** Paths; undefined: an own root is made and kept. */
  readonly ownCa?: { readonly anchors: string; readonly issuer: string; readonly key: string };
  readonly listenAddress: string;
  /** TLS port for sidecars with a join token or a service-account token; 0: none. */
  readonly identityPort: number;
  /** Takes service-account tokens for `audience`; undefined: none are taken. */
  readonly kubernetes?: KubernetesApiOptions & { readonly audience: string };
}

/** The certificate authority with everything that speaks for it. */
export interface MeshIdentity {
  readonly ca: CertificateAuthority;
  readonly server: ServerIdentity;
  readonly issued: IssuedCertificates;
  /** Opens the Unix socket for the control plane at `host:port`. @throws UsageError */
  openSocket(host: string, port: number): Promise<void>;
  close(): void;
}

/** The kernel's limit is 108 with the final zero; macOS allows 104. */
const LONGEST_SOCKET_PATH = 103;

/** @throws UsageError for whatever the person who started it can mend; nothing is left running then */
export async function startMeshIdentity(options: MeshIdentityOptions, logger: Logger): Promise<MeshIdentity> {
  const { directory, trustDomain, leafTtlMs, clockSkewMs, ownCa } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Whoever may open the socket may be any app.
  chmodSync(directory, 0o700);
  const state = ownCa ? loadOwnCa(ownCa, trustDomain) : await loadRoots(directory, trustDomain, new Date());
  const ca = createCertificateAuthority({ state, leafTtlMs, clockSkewMs, ...(ownCa ? {} : { directory }) });
  const server = await startServerIdentity(ca, logger);
  const issued = createIssuedCertificates();
  const tokenKey = tokenKeyOf(directory);
  const sockets: Server[] = [];
  const shared = { ca, issued, logger };
  const remote = await listenRemote(options, server, new Server(), {
    ...shared,
    verify: renewalVerifier(firstVerifier(tokenKey, options.kubernetes)),
  });
  return {
    ca,
    server,
    issued,
    async openSocket(host, port) {
      const local = new Server();
      local.addService(IdentityService, identityService({ ...shared, verify: unixSocketVerifier, tokenKey }));
      sockets.push(local);
      await listenSocket(local, identitySocket(directory, host, port));
    },
    close() {
      for (const local of sockets) local.forceShutdown();
      remote?.close();
      server.close();
      ca.close();
    },
  };
}

function firstVerifier(tokenKey: Buffer, kubernetes: MeshIdentityOptions['kubernetes']): CredentialVerifier {
  const joinToken = joinTokenVerifier(tokenKey);
  return kubernetes ? joinTokenOr(joinToken, serviceAccountVerifier(kubernetesApi(kubernetes), kubernetes.audience)) : joinToken;
}

async function listenRemote(
  { listenAddress, identityPort }: MeshIdentityOptions,
  identity: ServerIdentity,
  server: Server,
  deps: Parameters<typeof identityService>[0],
): Promise<TlsListener | undefined> {
  if (identityPort === 0) return undefined;
  server.addService(IdentityService, identityService(deps));
  const place = { host: listenAddress, port: identityPort, flag: '--identity-port' };
  const onRefused = (reason: string) => deps.logger.debug('identity: a connection was refused', { reason });
  const listener = await listenTls(server, place, { identity, requireCertificate: false, onRefused });
  deps.logger.info('identity service for sidecars with a token', { address: `${listenAddress}:${listener.port}` });
  return {
    port: listener.port,
    close() {
      server.forceShutdown();
      listener.close();
    },
  };
}

async function listenSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH)
    throw new UsageError(
      `${path} is too long for a Unix socket: set WEFT_HOME to a shorter directory, or use --enable-mtls=false`,
    );
  // The port is ours by now, so a socket that is there was left by a predecessor that was killed.
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(new UsageError(`cannot listen on ${path}: ${error.message}`)) : resolve(),
    );
  });
  chmodSync(path, 0o600);
}

function tokenKeyOf(directory: string): Buffer {
  const path = join(directory, 'join-token.key');
  if (!existsSync(path)) writeFileSync(path, newTokenKey().toString('base64'), { mode: 0o600, flag: 'wx' });
  const key = Buffer.from(readFileSync(path, 'utf8'), 'base64');
  if (key.length !== 32) throw new UsageError(`${path}: not a key of 32 bytes; remove it, and make join tokens anew`);
  return key;
}
