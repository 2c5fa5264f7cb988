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

/** What the Kubernetes API server says of a service-account token (authentication.k8s.io/v1 TokenReviewStatus). */
export interface TokenReview {
  readonly authenticated: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
}

export interface KubernetesPorts {
  /** Asks the API server about a token that must have been made for `audience`. */
  readonly reviewToken: (token: string, audience: string) => Promise<TokenReview>;
  /** The app id that a pod's annotations give it; undefined: there is no such pod, or it has none. */
  readonly appIdOf: (namespace: string, pod: string) => Promise<string | undefined>;
}

/** Tokens for other readers (the API server, a vault) prove nothing here: whoever they were shown to could replay them. */
export const TOKEN_AUDIENCE = 'weft';
const POD_NAME = 'authentication.kubernetes.io/pod-name';

/** @returns a verifier of projected service-account tokens: the pod that a token is bound to says which app it is of */
export const serviceAccountVerifier = ({ reviewToken, appIdOf }: KubernetesPorts): CredentialVerifier =>
  bearerVerifier(async (token) => {
    const { authenticated, error, audiences, user } = await reviewToken(token, TOKEN_AUDIENCE);
    if (!authenticated) return `the service-account token is not valid${error ? `: ${error}` : ''}`;
    if (!audiences?.includes(TOKEN_AUDIENCE)) return `the service-account token is not for audience "${TOKEN_AUDIENCE}"`;
    const [system, kind, namespace, account, ...rest] = (user?.username ?? '').split(':');
    if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !account || rest.length > 0)
      return 'the token is not of a service account';
    const [pod] = user?.extra?.[POD_NAME] ?? [];
    if (!pod) return 'the service-account token is not bound to a pod: use a projected token';
    const appId = await appIdOf(namespace, pod);
    return appId ? { namespace, appId } : `pod ${namespace}/${pod} has no app id`;
  });
