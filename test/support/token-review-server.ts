import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createWebAuthority } from './web-certificates.js';

/** A pod that runs, with its projected token. */
export interface FakePod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  readonly appId?: string;
  readonly token: string;
  readonly audiences: readonly string[];
}

export interface TokenReviewServer {
  /** `https://localhost:<port>`. */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  pods: readonly FakePod[];
  /** The tokens that reviews came with. */
  readonly reviewed: readonly string[];
  /** As long as it is set, every question is answered so; `silent`: not at all. */
  mode: 'right' | 'silent' | 'garbage' | 401 | 403 | 500;
  close(): void;
}

/**
 * The two calls of the Kubernetes API that a control plane makes, as the API server answers them: TokenReview (authentication.k8s.io/v1) and
 * get of a Pod. The server itself cannot run in these tests.
 * @param ownToken what the control plane must come with
 */
export async function startTokenReviewServer(ownToken: string): Promise<TokenReviewServer> {
  const web = await createWebAuthority();
  const reviewed: string[] = [];
  const server = createServer(await web.issue('localhost'), async (request, response) => {
    const { mode } = state;
    if (mode === 'silent') return;
    const [code, body] =
      typeof mode === 'number'
        ? failure(mode)
        : await answer(request, state.pods, { ownToken, note: (token) => reviewed.push(token) });
    response.writeHead(code, { 'content-type': 'application/json' }).end(mode === 'garbage' ? '<html>' : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const state: TokenReviewServer = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    ca: web.ca,
    pods: [],
    reviewed,
    mode: 'right',
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return state;
}

type Reply = readonly [code: number, body: unknown];

async function answer(
  request: IncomingMessage,
  pods: readonly FakePod[],
  { ownToken, note }: { readonly ownToken: string; note(token: string): void },
): Promise<Reply> {
  if (request.headers.authorization !== `Bearer ${ownToken}`) return failure(401);
  const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(request.url ?? '');
  if (request.method === 'GET' && pod) {
    const found = pods.find(({ namespace, name }) => namespace === pod[1] && name === pod[2]);
    return found ? [200, podOf(found)] : failure(404);
  }
  if (request.method !== 'POST' || request.url !== '/apis/authentication.k8s.io/v1/tokenreviews') return failure(404);
  let text = '';
  for await (const chunk of request) text += chunk;
  const review = JSON.parse(text);
  if (review.kind !== 'TokenReview' || review.apiVersion !== 'authentication.k8s.io/v1') return failure(400);
  note(review.spec.token);
  return [201, { ...review, metadata: { creationTimestamp: null }, status: verdict(review.spec, pods) }];
}

/** The audiences of the answer are those that token and question share; a token for none of them is not authenticated. */
function verdict(
  { token, audiences }: { readonly token: string; readonly audiences: readonly string[] },
  pods: readonly FakePod[],
) {
  const pod = pods.find((it) => it.token === token);
  if (!pod) return { user: {}, error: '[invalid bearer token, token lookup failed]' };
  const shared = audiences.filter((it) => pod.audiences.includes(it));
  if (shared.length === 0)
    return { user: {}, error: `[invalid bearer token, token audiences ${JSON.stringify(pod.audiences)} is invalid]` };
  const { namespace, serviceAccount, name, uid } = pod;
  return {
    authenticated: true,
    audiences: shared,
    user: {
      username: `system:serviceaccount:${namespace}:${serviceAccount}`,
      uid: `uid-of-${serviceAccount}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/pod-name': [name], 'authentication.kubernetes.io/pod-uid': [uid] },
    },
  };
}

const podOf = ({ namespace, name, uid, serviceAccount, appId }: FakePod) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, uid, annotations: appId === undefined ? {} : { 'dapr.io/app-id': appId } },
  spec: { serviceAccountName: serviceAccount, containers: [] },
});

const failure = (code: number): Reply => [code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code }];
