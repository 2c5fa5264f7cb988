import { bearerVerifier, type CredentialVerifier } from './credentials.js';
import type { Claim } from './join-token.js';

/** What the Kubernetes API server says of a service-account token (authentication.k8s.io/v1 TokenReviewStatus). */
export interface TokenReview {
  readonly authenticated: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
}

/** The parts of a Pod (core/v1) that tell whose it is. */
export interface KubernetesPod {
  readonly metadata?: { readonly uid?: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly serviceAccountName?: string };
}

/** Both reject when the API server cannot be asked. */
export interface KubernetesPorts {
  /** Asks the API server about a token that must have been made for `audience`. */
  readonly reviewToken: (token: string, audience: string) => Promise<TokenReview>;
  /** @returns undefined: there is no such pod */
  readonly podOf: (namespace: string, name: string) => Promise<KubernetesPod | undefined>;
}

/** Tokens for other readers (the API server, a vault) prove nothing here: whoever they were shown to could replay them. */
export const TOKEN_AUDIENCE = 'weft';
/** The annotation by which Dapr's own injector names an app. */
const APP_ID = 'dapr.io/app-id';
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const MAX_TOKEN_LENGTH = 16 * 1024;

/** What a good token says of its bearer. */
interface Bearer {
  readonly namespace: string;
  readonly account: string;
  readonly pod: string;
  readonly podUid: string | undefined;
}

/** @returns a verifier of projected service-account tokens: the pod that a token is bound to says which app it is of */
export const serviceAccountVerifier = (
  { reviewToken, podOf }: KubernetesPorts,
  audience: string = TOKEN_AUDIENCE,
): CredentialVerifier =>
  bearerVerifier(async (token) => {
    // Nobody else is asked about what cannot be one.
    if (token.length > MAX_TOKEN_LENGTH || !JWT.test(token)) return 'the credential is no service-account token';
    const bearer = bearerOf(await reviewToken(token, audience), audience);
    return typeof bearer === 'string' ? bearer : appOf(bearer, await podOf(bearer.namespace, bearer.pod));
  });

/** @returns why the token proves nothing, or whose it is */
function bearerOf({ authenticated, error, audiences, user }: TokenReview, audience: string): Bearer | string {
  if (!authenticated) return `the service-account token is not valid${error ? `: ${error.slice(0, 200)}` : ''}`;
  if (!audiences?.includes(audience))
    return `the service-account token is not for audience "${audience}": name it in the pod's projected volume`;
  const [system, kind, namespace, account, ...rest] = (user?.username ?? '').split(':');
  if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !account || rest.length > 0)
    return 'the token is not of a service account';
  const [pod] = user?.extra?.[POD_NAME] ?? [];
  if (!pod) return 'the service-account token is not bound to a pod: use a projected token';
  return { namespace, account, pod, podUid: user?.extra?.[POD_UID]?.[0] };
}

function appOf({ namespace, account, pod: name, podUid }: Bearer, pod: KubernetesPod | undefined): Claim | string {
  const place = `pod ${namespace}/${name}`;
  if (!pod) return `${place} does not exist`;
  // A pod of the same name may have taken its place; its app is not what this token proves.
  if (podUid === undefined || pod.metadata?.uid !== podUid) return `the service-account token is of an earlier ${place}`;
  if (pod.spec?.serviceAccountName !== account) return `${place} does not run as service account ${account}`;
  const appId = pod.metadata.annotations?.[APP_ID];
  return appId ? { namespace, appId } : `${place} has no app id: give it the annotation ${APP_ID}`;
}
