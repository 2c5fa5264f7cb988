import type { ServerErrorResponse, StatusObject } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../errors.js';
import type { IdentityServer, SignRequest } from '../../gen/weft/identity/v1/identity.js';
import { APP_ID_PATTERN, NAMESPACE_PATTERN } from '../../model/instance.js';
import { CONTROL_PLANE, spiffeId } from '../../model/spiffe.js';
import type { Logger } from '../../telemetry/logger.js';
import { CsrRefused } from './authority.js';
import type { CertificateAuthority } from './certificate-authority.js';
import type { Caller, CredentialVerifier } from './credentials.js';
import type { IssuedCertificates } from './issued.js';
import { type Claim, covers, createJoinToken } from './join-token.js';
import { type CallWithPeer, certifiedPeer } from './peer.js';

export interface IdentityServiceDeps {
  readonly ca: CertificateAuthority;
  readonly verify: CredentialVerifier;
  readonly issued: IssuedCertificates;
  readonly logger: Logger;
  /** Makes join tokens and rotates roots: for the user of the control plane only, so undefined on a network port. */
  readonly tokenKey?: Buffer;
}

const MAX_TOKEN_TTL_MS = 365 * 24 * 3_600_000;

/** @returns the gRPC implementation of `weft.identity.v1.Identity` */
export function identityService(deps: IdentityServiceDeps): IdentityServer {
  const { ca, verify, logger, tokenKey } = deps;
  return {
    sign(call, callback) {
      const { namespace, appId } = call.request;
      sign(call.request, callerOf(call), deps).then(
        (response) => callback(null, response),
        (error: unknown) => {
          logger.warn('a certificate request was refused', { namespace, app_id: appId, reason: textOf(error) });
          callback(refusal(error));
        },
      );
    },
    watchTrust(call) {
      verify(callerOf(call)).then(
        (claim) => {
          if (typeof claim === 'string') return void call.emit('error', denied(status.UNAUTHENTICATED, claim));
          const send = () => call.write({ trustDomain: ca.trustDomain, rootsPem: ca.trusted() });
          const stop = ca.onTrustChange(send);
          for (const event of ['close', 'cancelled', 'error']) call.on(event, stop);
          send();
        },
        (error: unknown) => call.emit('error', refusal(error)),
      );
    },
    createJoinToken({ request }, callback) {
      if (!tokenKey) return callback(NOT_HERE);
      const { namespace, appId, ttlMs } = request;
      const problem = problemOf(request) ?? (ttlMs > 0 && ttlMs <= MAX_TOKEN_TTL_MS ? undefined : 'the lifetime is out of range');
      if (problem) return callback(denied(status.INVALID_ARGUMENT, problem));
      const expiresMs = Date.now() + ttlMs;
      callback(null, { token: createJoinToken(tokenKey, { namespace, appId }, expiresMs), expiresMs });
    },
    rotateRoot({ request }, callback) {
      if (!tokenKey) return callback(NOT_HERE);
      ca.rotate(request.propagationMs).then(
        (times) => {
          logger.info('root rotation started', { signs_from: new Date(times.signsFromMs).toISOString() });
          callback(null, times);
        },
        (error: unknown) => callback(denied(status.FAILED_PRECONDITION, messageOf(error))),
      );
    },
  };
}

const denied = (code: status, details: string): Partial<StatusObject> => ({ code, details });
const NOT_HERE = denied(status.PERMISSION_DENIED, 'only on the Unix socket of the control plane');

const callerOf = (call: CallWithPeer & Pick<Caller, 'metadata'>): Caller => ({
  metadata: call.metadata,
  certified: certifiedPeer(call)?.identity,
});

function problemOf({ namespace, appId }: Claim): string | undefined {
  if (!NAMESPACE_PATTERN.test(namespace) || !APP_ID_PATTERN.test(appId)) return 'not a valid namespace and app id';
  return namespace === CONTROL_PLANE.namespace ? `namespace ${namespace} is the control plane's own` : undefined;
}

async function sign({ namespace, appId, csr, instanceId }: SignRequest, caller: Caller, deps: IdentityServiceDeps) {
  const asked = { namespace, appId };
  const claim = await deps.verify(caller);
  if (typeof claim === 'string') throw denied(status.UNAUTHENTICATED, claim);
  const problem = problemOf(asked);
  if (problem) throw denied(status.INVALID_ARGUMENT, problem);
  if (!covers(claim, asked)) {
    const proven = `${claim.namespace}/${claim.appId}`;
    throw denied(status.PERMISSION_DENIED, `the credential is for ${proven}, not for ${namespace}/${appId}`);
  }
  const { ca, issued } = deps;
  const svid = await ca.sign(csr, asked);
  const times = { notBeforeMs: svid.notBefore.getTime(), notAfterMs: svid.notAfter.getTime() };
  const id = spiffeId({ trustDomain: ca.trustDomain, ...asked });
  if (instanceId.length > 0 && instanceId.length <= 256) issued.note({ instanceId, id, serial: svid.serial, ...times });
  return { chainPem: svid.chainPem, trustDomain: ca.trustDomain, ...times };
}

const textOf = (error: unknown) => (error as { readonly details?: string }).details ?? messageOf(error);

function refusal(error: unknown): ServerErrorResponse | Partial<StatusObject> {
  if (error instanceof CsrRefused) return denied(status.INVALID_ARGUMENT, error.message);
  return typeof (error as { code?: unknown }).code === 'number'
    ? (error as ServerErrorResponse)
    : denied(status.INTERNAL, 'signing failed; the control plane log says why');
}
