import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { certificateOf } from '../control/ca/issued.js';
import type { MeshIdentity, MeshIdentityOptions } from '../control/ca/mesh-identity.js';
import { type CallWithPeer, certifiedPeer } from '../control/ca/peer.js';
import { assertFree, type ListenPlace } from '../control/listen.js';
import { mergeSpecs } from '../control/mesh-model.js';
import { type MtlsStatus, mtlsStatus } from '../control/mtls-status.js';
import { anyPeer, certifiedPeerOnly, type PeerCheck } from '../control/peer-check.js';
import { messageOf, UsageError } from '../errors.js';
import { parseGoDuration } from '../lib/duration.js';
import { identitySocket } from '../lib/identity-socket.js';
import { resolveProfile } from '../mesh/profile.js';
import type { ResourceSet } from '../model/mesh-model.js';
import type { MeshProfile, MeshSpec } from '../model/mesh-profile.js';
import { spiffeId } from '../model/spiffe.js';
import type { Logger } from '../telemetry/logger.js';

/** How the control plane was told to secure the mesh. What is undefined is as the Configuration says, else as by default. */
export interface MtlsOptions extends Pick<MeshIdentityOptions, 'trustDomain' | 'ownCa' | 'identityPort' | 'kubernetes'> {
  /** Default: true. */
  readonly enabled?: boolean;
  /** Milliseconds. Default: 24 hours, and 15 minutes. */
  readonly leafTtlMs?: number;
  readonly clockSkewMs?: number;
}

export interface SecurityOptions {
  readonly listenAddress: string;
  /** Also where the certificate authority keeps its roots and sockets. */
  readonly stateDirectory: string;
  /** Undefined: no mTLS of ours. */
  readonly mtls?: MtlsOptions;
}

/** Everything about the control plane that depends on whether mTLS is ours. That is settled at its start. */
export interface Security {
  /** The same object until the Configuration says something else. */
  profile(): MeshProfile;
  readonly peerCheck: PeerCheck;
  /** Remembers which certificate an instance has. */
  notePeer(call: CallWithPeer, instanceId: string): void;
  /** Lets `server` listen, and sidecars find it. @throws UsageError */
  bind(server: Server, place: ListenPlace): Promise<BoundPort>;
  status(): MtlsStatus;
  close(): void;
}

export interface BoundPort {
  readonly port: number;
  /** After the server's own shutdown. */
  close(): void;
}

const DAY_MS = 24 * 3_600_000;
const SKEW_MS = 15 * 60_000;

/** The parts of a Configuration that the control plane itself reads. */
interface Spec {
  readonly mesh?: MeshSpec;
  readonly mtls?: { readonly enabled?: boolean; readonly workloadCertTTL?: string; readonly allowedClockSkew?: string };
}

/** @param defaults the control plane's own resources, as they are now */
export async function startSecurity(options: SecurityOptions, defaults: () => ResourceSet, logger: Logger): Promise<Security> {
  const specNow = memoByIdentity(
    defaults,
    (set) => set.configurations.reduce<unknown>((all, { spec }) => mergeSpecs(all, spec), {}) as Spec,
  );
  const identity = await startIdentity(options, specNow(), logger);
  const trustDomain = identity?.ca.trustDomain;
  const first = resolveProfile(specNow().mesh, { trustDomain });
  const { mtls } = first;
  let last = first;
  const resolved = (mesh: MeshSpec | undefined): MeshProfile => {
    try {
      return resolveProfile(mesh, { trustDomain });
    } catch (error) {
      logger.error('the mesh stays as it is', { problem: messageOf(error) });
      return last;
    }
  };
  const profile = memoByIdentity(specNow, ({ mesh }) => {
    const wanted = resolved(mesh);
    if (wanted.mtls !== mtls)
      logger.warn('spec.mesh.mtls takes effect when control plane and sidecars are started anew', { now: mtls });
    const settled = {
      mtls,
      trustDomain: first.trustDomain,
      service: mtls === 'defer' ? (wanted.service ?? first.service) : undefined,
    };
    const next = { ...wanted, ...settled };
    // The same object while nothing in it has changed: a new one would be a reason to translate everything again.
    if (!isDeepStrictEqual(last, next)) last = Object.freeze(next);
    return last;
  });
  return {
    profile,
    peerCheck: trustDomain === undefined ? anyPeer : certifiedPeerOnly(trustDomain),
    notePeer(call, instanceId) {
      const peer = identity && certifiedPeer(call);
      if (peer) identity.issued.note(certificateOf(instanceId, spiffeId(peer.identity), peer.certificate));
    },
    bind: binder(options, identity, logger),
    status: () => mtlsStatus(identity),
    close: () => identity?.close(),
  };
}

function memoByIdentity<In, Out>(input: () => In, make: (value: In) => Out): () => Out {
  let known: { readonly from: In; readonly made: Out } | undefined;
  return () => {
    const from = input();
    if (known?.from !== from) known = { from, made: make(from) };
    return known.made;
  };
}

async function startIdentity(options: SecurityOptions, spec: Spec, logger: Logger): Promise<MeshIdentity | undefined> {
  const { mtls, stateDirectory, listenAddress } = options;
  if (!mtls || !(mtls.enabled ?? spec.mtls?.enabled ?? true)) return undefined;
  if (resolveProfile(spec.mesh, { trustDomain: mtls.trustDomain }).mtls !== 'own') return undefined;
  // Loaded only here: the X.509 library costs 20 MB and a third of a second.
  const { startMeshIdentity } = await import('../control/ca/mesh-identity.js');
  const { trustDomain, identityPort, ownCa, kubernetes } = mtls;
  return startMeshIdentity(
    {
      trustDomain,
      directory: stateDirectory,
      listenAddress,
      identityPort,
      leafTtlMs: mtls.leafTtlMs ?? parseGoDuration(spec.mtls?.workloadCertTTL ?? '') ?? DAY_MS,
      clockSkewMs: mtls.clockSkewMs ?? parseGoDuration(spec.mtls?.allowedClockSkew ?? '') ?? SKEW_MS,
      ...(ownCa ? { ownCa } : {}),
      ...(kubernetes ? { kubernetes } : {}),
    },
    logger,
  );
}

function binder({ stateDirectory }: SecurityOptions, identity: MeshIdentity | undefined, logger: Logger) {
  return async (server: Server, place: ListenPlace): Promise<BoundPort> => {
    // grpc-js says neither why it cannot listen nor keeps quiet about it.
    if (place.port > 0) await assertFree(place);
    if (!identity) {
      // Left by a control plane with mTLS; sidecars would wait for it.
      rmSync(identitySocket(stateDirectory, place.host, place.port), { force: true });
      return { port: await bindPlain(server, place), close: () => {} };
    }
    // The socket first: a sidecar that reaches the port must find it.
    if (place.port > 0) await identity.openSocket(place.host, place.port);
    const { listenTls } = await import('../control/tls-listen.js');
    const onRefused = (reason: string) => logger.debug('a connection without a good certificate was refused', { reason });
    const listener = await listenTls(server, place, { identity: identity.server, requireCertificate: true, onRefused });
    if (place.port === 0) await identity.openSocket(place.host, listener.port);
    return listener;
  };
}

function bindPlain(server: Server, { host, port, flag }: ListenPlace): Promise<number> {
  const address = host.includes(':') ? `[${host}]` : host;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (!error) resolve(bound);
      else reject(new UsageError(`cannot listen on ${host}:${port} (${error.message}): see --listen-address and ${flag}`));
    });
  });
}
