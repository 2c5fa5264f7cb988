import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../errors.js';
import type { KubernetesPod, KubernetesPorts, TokenReview } from './service-account.js';

/** Where the API server is, and how the control plane proves itself there. Files are read anew for each question: they are renewed in place. */
export interface KubernetesApiOptions {
  /** `https://host:port`. */
  readonly server: string;
  /** The control plane's own service-account token. */
  readonly tokenFile: string;
  /** PEM: what the API server's certificate must come from. */
  readonly caFile: string;
}

/** A sidecar waits ten seconds for its certificate, and two questions are asked for it. */
const DEADLINE_MS = 4_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Whoever reaches the identity port can make us ask; the API server is everybody's. */
const MAX_QUESTIONS = 32;

/** The API server cannot be asked, which proves nothing about the caller: it may try again. */
const unavailable = (why: string) => ({ code: status.UNAVAILABLE, details: `the Kubernetes API server cannot be asked: ${why}` });

/** @returns the two questions to the API server. Each is answered within 4 s, or rejects with a gRPC status that says why not */
export function kubernetesApi(options: KubernetesApiOptions): KubernetesPorts {
  let open = 0;
  const ask = async (question: Question): Promise<unknown> => {
    if (open >= MAX_QUESTIONS) throw unavailable('too many tokens are being reviewed; try again');
    open += 1;
    try {
      return answerOf(question, await send(options, question));
    } finally {
      open -= 1;
    }
  };
  return {
    async reviewToken(token, audience) {
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      const path = '/apis/authentication.k8s.io/v1/tokenreviews';
      const { status: review } = (await ask({ method: 'POST', path, body, what: 'create tokenreviews' })) as {
        readonly status?: Partial<TokenReview>;
      };
      return { ...review, authenticated: review?.authenticated === true };
    },
    async podOf(namespace, name) {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
      const pod = await ask({ method: 'GET', path, what: `get pods in namespace ${namespace}`, mayBeMissing: true });
      return pod as KubernetesPod | undefined;
    },
  };
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** For messages, as Kubernetes' rules say it: verb and resource. */
  readonly what: string;
  readonly mayBeMissing?: boolean;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function answerOf({ what, mayBeMissing }: Question, { status: code, body }: Answer): unknown {
  if (code === 404 && mayBeMissing) return undefined;
  if (code === 401) throw unavailable('it does not take the control plane’s own token; see --kubernetes-token-file');
  if (code === 403)
    throw unavailable(
      `the control plane may not ${what}; bind ClusterRole system:auth-delegator and one with get on pods to its service account`,
    );
  if (code < 200 || code > 299) throw unavailable(`it answered ${code} when asked to ${what}`);
  const value: unknown = parsed(body);
  if (typeof value !== 'object' || value === null) throw unavailable(`it answered ${what} with something that is no JSON object`);
  return value;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

async function send({ server, tokenFile, caFile }: KubernetesApiOptions, { method, path, body }: Question): Promise<Answer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const token = read(tokenFile, '--kubernetes-token-file').trim();
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  };
  // No agent: an idle connection would outlive a renewed certificate authority.
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const options = { method, headers, ca: read(caFile, '--kubernetes-ca-file'), agent: false, signal };
  try {
    return await exchange(new URL(path, server), options, text);
  } catch (error) {
    throw unavailable(signal.aborted ? `no answer within ${DEADLINE_MS / 1000} s` : messageOf(error));
  }
}

function exchange(url: URL, options: RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function read(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unavailable(`${flag} ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
