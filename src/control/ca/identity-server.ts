import type { Metadata, ServerErrorResponse, StatusObject } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../errors.js';
import type { IdentityServer } from '../../gen/weft/identity/v1/identity.js';
import { APP_ID_PATTERN, NAMESPACE_PATTERN } from '../../model/instance.js';
import type { Logger } from '../../telemetry/logger.js';
import { CsrRefused } from './authority.js';
import type { CertificateAuthority } from './certificate-authority.js';
import { type Claim, covers } from './join-token.js';

/** Says what a caller's bootstrap credential proves, or why it proves nothing. One per kind of credential (issue 4: join token, Unix socket, Kubernetes). */
export type CredentialVerifier = (metadata: Metadata) => Promise<Claim | string>;

/** A caller on the Unix socket is the user who owns its directory (mode 0700), and may run any app. */
export const unixSocketVerifier: CredentialVerifier = async () => ({ namespace: '*', appId: '*' });

/** @returns a verifier that hands the bearer credential to `verify` */
export const bearerVerifier =
  (verify: (credential: string) => Promise<Claim | string> | Claim | string): CredentialVerifier =>
  async (metadata) => {
    const [header] = metadata.get('authorization');
    const credential = typeof header === 'string' && /^bearer /i.test(header) ? header.slice('bearer '.length).trim() : '';
    return credential === '' ? 'no credential: start the sidecar with --join-token or WEFT_JOIN_TOKEN' : verify(credential);
  };

/** @returns the gRPC implementation of `weft.identity.v1.Identity` */
export function identityService(ca: CertificateAuthority, verify: CredentialVerifier, logger: Logger): IdentityServer {
  return {
    sign(call, callback) {
      const { namespace, appId, csr } = call.request;
      sign({ namespace, appId }, csr, call.metadata).then(
        (response) => callback(null, response),
        (error: unknown) => {
          logger.warn('a certificate request was refused', { namespace, app_id: appId, reason: messageOf(error) });
          callback(refusal(error));
        },
      );
    },
    watchTrust(call) {
      verify(call.metadata).then(
        (claim) => {
          if (typeof claim === 'string') return call.destroy(Object.assign(new Error(claim), { code: status.UNAUTHENTICATED }));
          const send = () => call.write({ trustDomain: ca.trustDomain, rootsPem: ca.trusted() });
          const stop = ca.onTrustChange(send);
          call.on('close', stop);
          call.on('cancelled', stop);
          send();
        },
        (error: Error) => call.destroy(error),
      );
    },
  };

  async function sign(asked: Claim, csr: Uint8Array, metadata: Metadata) {
    const claim = await verify(metadata);
    if (typeof claim === 'string') throw denied(status.UNAUTHENTICATED, claim);
    if (!NAMESPACE_PATTERN.test(asked.namespace) || !APP_ID_PATTERN.test(asked.appId))
      throw denied(status.INVALID_ARGUMENT, 'not a valid namespace and app id');
    if (!covers(claim, asked)) {
      throw denied(
        status.PERMISSION_DENIED,
        `the credential is for ${claim.namespace}/${claim.appId}, not for ${asked.namespace}/${asked.appId}`,
      );
    }
    const svid = await ca.sign(csr, asked);
    return {
      chainPem: svid.chainPem,
      trustDomain: ca.trustDomain,
      notBeforeMs: svid.notBefore.getTime(),
      notAfterMs: svid.notAfter.getTime(),
    };
  }
}

const denied = (code: status, details: string): Partial<StatusObject> => ({ code, details });

function refusal(error: unknown): ServerErrorResponse | Partial<StatusObject> {
  if (error instanceof CsrRefused) return denied(status.INVALID_ARGUMENT, error.message);
  return typeof (error as { code?: unknown }).code === 'number'
    ? (error as ServerErrorResponse)
    : denied(status.INTERNAL, 'signing failed; the control plane log says why');
}
