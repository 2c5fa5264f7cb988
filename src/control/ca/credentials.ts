import type { Metadata } from '@grpc/grpc-js';
import type { SpiffeIdentity } from '../../model/spiffe.js';
import { type Claim, verifyJoinToken } from './join-token.js';

/** What is known of whoever asks for a certificate. */
export interface Caller {
  readonly metadata: Metadata;
  /** The identity of a certificate of ours that the connection was made with. */
  readonly certified?: SpiffeIdentity;
}

/** Says what a caller's bootstrap credential proves, or why it proves nothing. One for each kind of credential. */
export type CredentialVerifier = (caller: Caller) => Promise<Claim | string>;

/** A caller on the Unix socket is the user who owns its directory (mode 0700), and may run any app. */
export const unixSocketVerifier: CredentialVerifier = async () => ({ namespace: '*', appId: '*' });

/** @returns a verifier that hands the bearer credential to `verify` */
export const bearerVerifier =
  (verify: (credential: string) => Promise<Claim | string> | Claim | string): CredentialVerifier =>
  async ({ metadata }) => {
    const [header] = metadata.get('authorization');
    const credential = typeof header === 'string' && /^bearer /i.test(header) ? header.slice('bearer '.length).trim() : '';
    return credential === '' ? 'no credential: start the sidecar with --join-token or WEFT_JOIN_TOKEN' : verify(credential);
  };

/** @returns a verifier of join tokens that were made with `key` */
export const joinTokenVerifier = (key: Buffer, now: () => number = Date.now): CredentialVerifier =>
  bearerVerifier((token) => verifyJoinToken(key, token, now()));

/** @returns a verifier that takes a living certificate for its own renewal, and asks `otherwise` for the first one */
export const renewalVerifier =
  (otherwise: CredentialVerifier): CredentialVerifier =>
  async (caller) =>
    caller.certified ? { namespace: caller.certified.namespace, appId: caller.certified.appId } : otherwise(caller);

/**
 * @returns a verifier that hands a join token to one verifier and everything else that is a bearer credential to another. They cannot be
 * taken for each other: a join token begins with its version, which no JWT does.
 */
export const joinTokenOr =
  (joinToken: CredentialVerifier, other: CredentialVerifier): CredentialVerifier =>
  (caller) =>
    /^bearer weft1\./i.test(String(caller.metadata.get('authorization')[0] ?? '')) ? joinToken(caller) : other(caller);
